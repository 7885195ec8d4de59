use std::sync::atomic::AtomicBool;

use super::*;

fn memory() -> Vec<AtomicU32> {
    (0..WORDS).map(|_| AtomicU32::new(0)).collect()
}

fn shared() -> Shared<Vec<AtomicU32>> {
    Shared::create(memory()).unwrap()
}

fn key(name: &str) -> Key {
    Key::new(name, "eth0", Vrid::LOWEST)
}

/// Different in every field for different numbers, so that a mix of two shows.
fn saved(n: u8) -> Saved {
    let wide = u64::from(n);
    Saved {
        state: [State::Initialize, State::Backup, State::Master, State::Fault][usize::from(n % 4)],
        last_advert: Instant::from_nanos(wide << 32 | wide),
        priority: Priority(n),
        installed: n.into(),
        handing_over: n & 1 == 1,
        hold: [None, Some(None), Some(Some(Instant::ORIGIN + Duration::from_secs(n.into())))]
            [n as usize % 3],
    }
}

#[test]
fn the_key_is_stable_and_tells_instances_apart() {
    let vrid = |n| Vrid::new(n).unwrap();
    // FNV-1a of "lan", 0, "br-lan", 0, 51: what a former version wrote has to be found.
    assert_eq!(Key::new("lan", "br-lan", vrid(51)), Key(0xfc80_77f2_405d_69eb));
    let all = [
        Key::new("lan", "eth0", vrid(1)),
        Key::new("lan", "eth0", vrid(2)),
        Key::new("lan", "eth1", vrid(1)),
        Key::new("wan", "eth0", vrid(1)),
        Key::new("lane", "th0", vrid(1)),
    ];
    for (n, one) in all.iter().enumerate() {
        assert!(!all[n + 1..].contains(one));
    }
}

#[test]
fn what_one_stores_another_loads() {
    let child = shared();
    let id = child.claim(key("a")).unwrap();
    assert_eq!(child.load(id), Some(Saved::NOTHING));
    for n in 0..=255 {
        child.store(id, &saved(n));
        assert_eq!(child.load(id), Some(saved(n)));
    }
    let supervisor = Shared::open(child.memory).unwrap();
    assert_eq!(supervisor.iter().collect::<Vec<_>>(), [(id, key("a"), Some(saved(255)))]);
}

#[test]
fn an_instance_finds_its_slot_again() {
    let child = shared();
    let ids: Vec<_> = ["a", "b", "c"].iter().map(|name| child.claim(key(name)).unwrap()).collect();
    child.store(ids[1], &saved(7));
    let next = Shared::open(child.memory).unwrap();
    assert_eq!(next.claim(key("b")), Some(ids[1]));
    assert_eq!(next.load(ids[1]), Some(saved(7)), "claiming it changes nothing");
    next.free(ids[1]);
    assert_eq!(next.load(ids[1]), None);
    assert_eq!(next.iter().map(|(id, ..)| id).collect::<Vec<_>>(), [ids[0], ids[2]]);
    assert_eq!(next.claim(key("c")), Some(ids[2]), "behind the free one");
    assert_eq!(next.claim(key("d")), Some(ids[1]));
    assert_eq!(next.load(ids[1]), Some(Saved::NOTHING), "nothing of the former one is left");
}

#[test]
fn there_are_so_many_slots() {
    let child = shared();
    let claim = |n: usize| child.claim(key(&n.to_string()));
    assert!((0..SLOTS).all(|n| claim(n).is_some()));
    assert_eq!(claim(SLOTS), None);
    let last = claim(SLOTS - 1).unwrap();
    child.store(last, &saved(9));
    assert_eq!(child.iter().last(), Some((last, key(&(SLOTS - 1).to_string()), Some(saved(9)))));
    child.free(claim(5).unwrap());
    assert!(claim(SLOTS).is_some());
}

#[test]
fn a_writer_that_died_at_work_holds_nobody_up() {
    let child = shared();
    let id = child.claim(key("a")).unwrap();
    let other = child.claim(key("b")).unwrap();
    child.store(id, &saved(1));
    // As if it had ended after the second word.
    let [sequence, _, _, flags, ..] = child.slot(id).unwrap();
    let odd = sequence.load(Ordering::Relaxed) + 1;
    sequence.store(odd, Ordering::Relaxed);
    flags.store(0, Ordering::Relaxed);

    assert_eq!(child.load(id), None);
    assert_eq!(child.load(other), Some(Saved::NOTHING));
    assert_eq!(child.iter().next(), Some((id, key("a"), None)), "it is still known whose it is");
    assert_eq!(child.claim(key("a")), Some(id));
    assert_eq!(child.load(id), None, "claiming it does not make it whole");
    child.store(id, &saved(2));
    assert_eq!(child.load(id), Some(saved(2)));
}

#[test]
fn a_reader_sees_all_of_one_write_or_nothing() {
    let shared = shared();
    let id = shared.claim(key("a")).unwrap();
    shared.store(id, &saved(0));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..400 {
                for n in 0..=255 {
                    shared.store(id, &saved(n));
                }
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            if let Some(found) = shared.load(id) {
                assert_eq!(found, saved(found.priority.0));
            }
        }
    });
}

#[test]
fn what_is_in_a_slot_is_never_somebody_else_s() {
    let memory = memory();
    let shared = Shared::create(&memory).unwrap();
    let owners = [(key("a"), saved(1)), (key("b"), saved(2))];
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..100_000 {
                for (key, saved) in owners {
                    let id = shared.claim(key).unwrap();
                    shared.store(id, &saved);
                    shared.free(id);
                }
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            for (_, key, found) in shared.iter() {
                let Some(found) = found.filter(|found| found.installed > 0) else { continue };
                assert!(owners.contains(&(key, found)), "{key:?}: {found:?}");
            }
        }
    });
}

#[test]
fn another_layout_is_refused() {
    assert_eq!(Shared::open(memory()).unwrap_err(), Unusable::Layout(0));
    let other = memory();
    other[0].store(MAGIC + 1, Ordering::Relaxed);
    let error = Shared::open(other).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the shared memory has layout 53460004, this program knows 53460003: both processes have \
         to be of one version"
    );
    let mut short = memory();
    short.pop();
    assert_eq!(Shared::create(short).unwrap_err(), Unusable::TooShort);
}

#[test]
fn what_is_scribbled_over_is_no_panic() {
    let shared = Shared::create(memory()).unwrap();
    for word in &shared.memory[1..] {
        word.store(u32::MAX - 1, Ordering::Relaxed);
    }
    assert_eq!(shared.iter().count(), SLOTS);
    assert!(shared.load(SlotId(u32::MAX)).is_none());
    shared.store(SlotId(u32::MAX), &saved(1));
    assert_eq!(shared.claim(key("a")), None);
}

#[test]
fn loops_are_counted() {
    let shared = shared();
    assert_eq!(shared.beats(), 0);
    shared.beat(Instant::ORIGIN);
    shared.beat(Instant::ORIGIN);
    assert_eq!(shared.beats(), 2);
    let id = shared.claim(key("a")).unwrap();
    shared.store(id, &saved(3));
    assert_eq!(shared.beats(), 2, "the counters are no slots");
}
