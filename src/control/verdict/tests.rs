//! Every way in which a verdict comes about.

use super::super::status::{Crash, Hold, MasterStatus, Refused};
use super::*;

/// Master of two instances, and backup of one.
fn base(state: State) -> Document {
    let text = match state {
        State::Backup => include_str!("../../../tests/status/cases/02-backup.json"),
        State::Master | State::Initialize | State::Fault => {
            include_str!("../../../tests/status/cases/01-master.json")
        }
    };
    serde_json::from_str(text).unwrap()
}

/// What becomes of it after a change of its first instance.
#[track_caller]
fn says(state: State, change: impl FnOnce(&mut InstanceStatus), text: &str) {
    let mut document = base(state);
    change(&mut document.instances.as_mut().unwrap()[0]);
    concludes(document, text);
}

#[track_caller]
fn concludes(mut document: Document, text: &str) {
    document.conclude();
    assert_eq!(document.verdict.text, text);
    let word = document.verdict.level.name();
    assert!(text.starts_with(&format!("{word}: ")), "{word}");
}

fn master(address: &str, age: f64) -> Option<MasterStatus> {
    Some(MasterStatus {
        address: address.parse().unwrap(),
        priority: 100,
        advertisement_interval: 1.0,
        addresses_differ: false,
        heard_age: age,
    })
}

fn warning(kind: WarningKind, last_age: f64) -> Warning {
    let text = "something".to_owned();
    let (instance, ended_age) = (Some("lan".to_owned()), None);
    Warning { kind, instance, process: None, text, from: None, count: 1, last_age, ended_age }
}

fn ended(kind: WarningKind, age: f64) -> Warning {
    Warning { ended_age: Some(age), ..warning(kind, age) }
}

const MASTER: &str = "OK: MASTER of 2/2";
const BACKUP: &str = "OK: BACKUP of 1/1, master 192.168.1.3 heard 0.4 s ago";

#[test]
fn all_is_well() {
    says(State::Master, |_| (), MASTER);
    says(State::Backup, |_| (), BACKUP);
}

#[test]
fn both_roles_are_named() {
    let mut document = base(State::Master);
    let backup = base(State::Backup).instances.unwrap().remove(0);
    document.instances.as_mut().unwrap()[0] = backup;
    concludes(document, "OK: MASTER of 1/2, BACKUP of 1/2, master 192.168.1.3 heard 0.4 s ago");
}

#[test]
fn no_answer_is_dead_whatever_was_known() {
    let mut document = base(State::Master);
    document.instances = None;
    document.warnings = vec![warning(WarningKind::SplitBrain, 0.0)];
    concludes(document.clone(), "DEAD: the vrrp process does not answer");
    document.daemon.processes[0].restarts = 3;
    document.daemon.processes[0].starts_in = Some(3.2);
    concludes(
        document,
        "DEAD: the vrrp process has ended, and is started again in 3.2 s; it was started again \
         3 times before",
    );
}

#[test]
fn another_master_that_was_heard_within_its_down_interval_is_a_split_brain() {
    let rival = |age| move |i: &mut InstanceStatus| i.routers[0].rival = master("192.168.1.3", age);
    let split = |age: &str| {
        format!("SPLIT: lan: 192.168.1.3 is MASTER too (priority 100, ours 150), heard {age} ago")
    };
    says(State::Master, rival(0.4), &split("0.4 s"));
    // 3 x 1 s and 156/256 s.
    says(State::Master, rival(3.6), &split("3.6 s"));
    says(State::Master, rival(3.7), "OK: MASTER of 2/2 (lan SPLIT until 3.7 s ago)");
    says(State::Master, rival(299.0), "OK: MASTER of 2/2 (lan SPLIT until 4 min 59 s ago)");
    says(State::Master, rival(300.0), MASTER);
    let slow = |i: &mut InstanceStatus| {
        rival(3.7)(i);
        i.routers[0].rival.as_mut().unwrap().advertisement_interval = 2.0;
    };
    says(State::Master, slow, &split("3.7 s"));
}

#[test]
fn a_master_that_discards_another_list_is_no_matter_of_the_network() {
    let rival = |priority| {
        move |i: &mut InstanceStatus| {
            i.routers[0].rival = master("192.168.1.3", 0.4);
            let rival = i.routers[0].rival.as_mut().unwrap();
            (rival.priority, rival.addresses_differ) = (priority, true);
        }
    };
    let too = |priority| {
        format!(
            "SPLIT: lan: 192.168.1.3 is MASTER too (priority {priority}, ours 150), heard 0.4 s ago"
        )
    };
    let text = "SPLIT: lan: 192.168.1.3 is MASTER too: it discards our adverts, its list differs";
    for priority in [100, 150] {
        says(State::Master, rival(priority), text);
    }
    // To that one we give way.
    says(State::Master, rival(151), &too(151));
    let mut document = base(State::Master);
    rival(100)(&mut document.instances.as_mut().unwrap()[0]);
    document.conclude();
    let warning = document.warnings.iter().find(|w| w.kind == WarningKind::SplitBrain).unwrap();
    assert_eq!(
        warning.text,
        "lan: 192.168.1.3 is MASTER too (priority 100, ours 150), heard 0.4 s ago; 192.168.1.3 \
         discards our adverts since its list differs (keepalived before 2.3.3 does): give both \
         the same list (virtual_addresses)"
    );
}

#[test]
fn a_former_master_and_a_successor_are_no_split_brain() {
    let rival = |i: &mut InstanceStatus| i.routers[0].rival = master("192.168.1.3", 0.4);
    let handing_over = |i: &mut InstanceStatus| {
        rival(i);
        i.handing_over = true;
    };
    says(State::Master, handing_over, "OK: MASTER of 1/2, handing over 1/2");
    let before = |i: &mut InstanceStatus| {
        rival(i);
        i.state_age = 0.3;
    };
    says(State::Master, before, MASTER);
    let gave_up = |i: &mut InstanceStatus| {
        rival(i);
        i.routers[0].rival.as_mut().unwrap().priority = 0;
    };
    says(State::Master, gave_up, MASTER);
    says(State::Backup, rival, BACKUP);
}

#[test]
fn several_split_brains_are_counted_and_hide_what_is_less() {
    let mut document = base(State::Master);
    for instance in document.instances.as_mut().unwrap() {
        instance.routers[0].rival = master("192.168.1.3", 0.4);
        instance.objects[0].present = false;
    }
    concludes(document, "SPLIT: 2 of 2 (lan: 192.168.1.3 is MASTER too); 2 more warnings");
}

#[test]
fn an_instance_out_of_service() {
    let fault = |i: &mut InstanceStatus| {
        i.state = State::Fault;
        i.fault = Some("interface \"br-lan\" is down".to_owned());
    };
    says(
        State::Master,
        fault,
        "DEGRADED: 1 of 2 in FAULT (lan: interface \"br-lan\" is down); MASTER of 1/2",
    );
    says(State::Backup, fault, "DEGRADED: 1 of 1 in FAULT (lan: interface \"br-lan\" is down)");
    let init = |i: &mut InstanceStatus| {
        i.state = State::Initialize;
        i.cause = "not started".to_owned();
    };
    says(State::Master, init, "DEGRADED: 1 of 2 in INIT (lan: not started); MASTER of 1/2");
    let mut document = base(State::Master);
    document.instances.as_mut().unwrap().iter_mut().for_each(fault);
    concludes(document, "DEGRADED: 2 of 2 in FAULT (lan: interface \"br-lan\" is down; also wan)");
}

#[test]
fn the_kernel_has_the_last_word_on_addresses() {
    let missing = |i: &mut InstanceStatus| i.objects[0].present = false;
    says(
        State::Master,
        missing,
        "DEGRADED: lan has an address that the kernel does not hold: 192.168.1.1/24; MASTER of 2/2",
    );
    let left = |i: &mut InstanceStatus| i.objects[0].present = true;
    says(
        State::Backup,
        left,
        "DEGRADED: lan: the kernel still holds 192.168.1.1/24, though lan is BACKUP; BACKUP of 1/1",
    );
    let mut document = base(State::Master);
    for object in document.instances.iter_mut().flatten().flat_map(|i| &mut i.objects) {
        object.present = false;
    }
    concludes(
        document,
        "DEGRADED: lan has an address that the kernel does not hold: 192.168.1.1/24; also wan; \
         MASTER of 2/2",
    );
}

#[test]
fn a_backup_without_a_master() {
    let silent =
        |age| move |i: &mut InstanceStatus| i.routers[0].master = master("192.168.1.3", age);
    says(State::Backup, silent(4.0), "OK: BACKUP of 1/1, master 192.168.1.3 heard 4.0 s ago");
    says(
        State::Backup,
        silent(4.1),
        "DEGRADED: lan: no router is master: 192.168.1.3 was last heard 4.1 s ago; BACKUP of 1/1",
    );
    let fresh = |age| {
        move |i: &mut InstanceStatus| {
            i.routers[0].master = None;
            i.state_age = age;
        }
    };
    says(State::Backup, fresh(3.0), "OK: BACKUP of 1/1, listening for a master");
    says(
        State::Backup,
        fresh(20.0),
        "DEGRADED: lan: no router is master: none was heard for 20 s; \
         BACKUP of 1/1, listening for a master",
    );
}

#[test]
fn a_hold_and_a_lowered_priority() {
    let held = |ends_in| {
        move |i: &mut InstanceStatus| {
            i.hold = Some(Hold { ends_in });
            i.effective_priority = 1;
        }
    };
    let heard = "BACKUP of 1/1, master 192.168.1.3 heard 0.4 s ago";
    says(
        State::Backup,
        held(None),
        "DEGRADED: lan: it is held as backup until \"steadfast release lan\"; BACKUP of 1/1",
    );
    says(
        State::Backup,
        held(Some(61.0)),
        "DEGRADED: lan: it is held as backup for 1 min 1 s more; BACKUP of 1/1",
    );
    let lowered = |i: &mut InstanceStatus| i.effective_priority = 60;
    says(
        State::Backup,
        lowered,
        &format!("DEGRADED: lan: its priority is 60 instead of 100; {heard}"),
    );
    let raised = |i: &mut InstanceStatus| i.effective_priority = 120;
    says(State::Backup, raised, BACKUP);
    let yielding = |i: &mut InstanceStatus| (i.base_priority, i.effective_priority) = (255, 254);
    says(State::Backup, yielding, BACKUP);
}

#[test]
fn the_tracker_that_lowers_is_named() {
    let tracked = |up, weight, reverse| {
        move |i: &mut InstanceStatus| {
            i.effective_priority = 110;
            i.trackers = vec![super::super::status::TrackerStatus {
                name: "ping".to_owned(),
                kind: "script".to_owned(),
                up: Some(up),
                weight,
                reverse,
            }];
        }
    };
    for (up, weight, reverse, named) in [
        (false, -40, false, true),
        (true, -40, false, false),
        (true, 40, false, false),
        (false, 40, false, false),
        (true, 40, true, true),
        (false, -40, true, false),
    ] {
        let cause = if named { ", because of ping" } else { "" };
        says(
            State::Master,
            tracked(up, weight, reverse),
            &format!("DEGRADED: lan: its priority is 110 instead of 150{cause}; MASTER of 2/2"),
        );
    }
}

#[test]
fn a_refused_reload() {
    let mut document = base(State::Master);
    let reason = "a.toml:1:1: error: no\nmore\n".to_owned();
    document.daemon.configuration.refused = Some(Refused { age: 86_400.0, reason });
    concludes(document, "DEGRADED: last reload refused: a.toml:1:1: error: no; MASTER of 2/2");
    let mut document = base(State::Master);
    let reason = format!("{}:7:1: error: no", document.daemon.configuration.file);
    document.daemon.configuration.refused = Some(Refused { age: 86_400.0, reason });
    concludes(document, "DEGRADED: last reload refused: line 7: no; MASTER of 2/2");
}

#[test]
fn nothing_configured_and_a_process_started_again() {
    let mut document = base(State::Master);
    document.instances = Some(Vec::new());
    concludes(
        document,
        "DEGRADED: /etc/steadfast/steadfast.toml has no instance: no address is kept alive",
    );
    let mut document = base(State::Master);
    document.daemon.processes[0].restarts = 1;
    document.daemon.processes[0].uptime = Some(2.0);
    // The process is new for another reason: an upgrade.
    concludes(document.clone(), MASTER);
    let crash = |age, in_a_minute, handed_over| {
        let end = "vrrp process 77 was killed by SIGSEGV".to_owned();
        let (ran, loop_stood, loop_late_max) = (None, None, None);
        let last_lines = Vec::new();
        Some(Crash {
            age,
            end,
            in_a_minute,
            handed_over,
            ran,
            loop_stood,
            loop_late_max,
            last_lines,
        })
    };
    let killed = "vrrp process 77 was killed by SIGSEGV";
    let degraded = |rest: &str| format!("DEGRADED: {rest}; MASTER of 2/2");
    // The rest is among the warnings.
    let times =
        |times| degraded(&format!("the vrrp process crashed {times} times within a minute"));
    document.daemon.processes[0].crash = crash(2.0, 1, false);
    concludes(document.clone(), &degraded(&format!("{killed}; started again")));
    // Whatever else there is to say about the processes.
    document.warnings.push(ended(WarningKind::Process, 70.0));
    document.daemon.processes[0].crash = crash(2.0, 3, false);
    concludes(document.clone(), &times(3));
    document.daemon.processes[0].crash = crash(2.0, 5, true);
    concludes(document.clone(), &times(5));
    document.daemon.processes[0].crash = crash(61.0, 5, true);
    let past = "OK: MASTER of 2/2 (2 warnings ended, the last 1 min 1 s ago)";
    concludes(document.clone(), past);
    document.instances = None;
    document.daemon.processes[0].starts_in = Some(7.9);
    concludes(
        document,
        "DEAD: the vrrp process crashed 5 times within a minute, and is started again in 7.9 s",
    );
}

#[test]
fn what_is_true_now_counts_and_what_has_ended_is_said_in_brackets() {
    let reported = |warnings: &[Warning]| {
        let warnings = warnings.to_vec();
        move |i: &mut InstanceStatus| i.warnings = warnings
    };
    // However long ago it happened the last time: who reports it knows when it ended.
    says(
        State::Master,
        reported(&[warning(WarningKind::VridConflict, 3000.0)]),
        "DEGRADED: lan: something; MASTER of 2/2",
    );
    says(
        State::Master,
        reported(&[ended(WarningKind::VridConflict, 42.0)]),
        "OK: MASTER of 2/2 (1 warning ended 42 s ago)",
    );
    says(State::Master, reported(&[ended(WarningKind::VridConflict, 300.0)]), MASTER);
    for kind in [WarningKind::Storage, WarningKind::RecordsLost] {
        says(State::Master, reported(&[warning(kind, 1.0)]), MASTER);
        says(State::Master, reported(&[ended(kind, 1.0)]), MASTER);
    }
    let several = [
        ended(WarningKind::BadPackets, 42.0),
        ended(WarningKind::Fault, 70.0),
        ended(WarningKind::ForeignRemoval, 50.0),
    ];
    says(
        State::Master,
        reported(&several),
        "OK: MASTER of 2/2 (lan FAULT until 1 min 10 s ago; 2 warnings ended, the last 42 s ago)",
    );
    says(
        State::Backup,
        reported(&[ended(WarningKind::Fault, 1.0)]),
        "OK: BACKUP of 1/1, master 192.168.1.3 heard 0.4 s ago (FAULT until 1.0 s ago)",
    );
    says(
        State::Backup,
        reported(&several),
        "OK: BACKUP of 1/1 (FAULT until 1 min 10 s ago; 2 warnings ended, the last 42 s ago)",
    );
    // What has ended does not hide that it has begun again.
    let again = |i: &mut InstanceStatus| {
        i.warnings = vec![ended(WarningKind::Fault, 5.0)];
        i.state = State::Fault;
        i.fault = Some("interface \"br-lan\" is down".to_owned());
    };
    says(
        State::Master,
        again,
        "DEGRADED: 1 of 2 in FAULT (lan: interface \"br-lan\" is down); MASTER of 1/2",
    );
}

#[test]
fn a_verdict_is_a_line_of_a_hundred_characters() {
    let long = |text: &str| {
        let text = text.to_owned();
        move |i: &mut InstanceStatus| {
            i.warnings = vec![Warning { text, ..warning(WarningKind::ForeignRemoval, 0.0) }];
        }
    };
    says(
        State::Master,
        long(
            "somebody else removed 192.168.1.1/24; it is put back in 1.000 s: look for another \
             program that manages this interface",
        ),
        "DEGRADED: lan: somebody else removed 192.168.1.1/24; it is put back in 1.000 s; \
         MASTER of 2/2",
    );
    let words = "word ".repeat(40);
    says(
        State::Master,
        long(&words),
        &format!("DEGRADED: lan:{}...; MASTER of 2/2", " word".repeat(13)),
    );
    let wide = "\u{e4}".repeat(200);
    says(State::Master, long(&wide), "DEGRADED: lan:...; MASTER of 2/2");
    let mut document = base(State::Master);
    let fault = |i: &mut InstanceStatus| {
        i.state = State::Fault;
        i.fault =
            Some("interface \"br-lan\" does not exist (have: eth0, eth1, eth2, lo)".to_owned());
    };
    document.instances.as_mut().unwrap().iter_mut().for_each(fault);
    concludes(
        document,
        "DEGRADED: 2 of 2 in FAULT (lan: interface \"br-lan\" does not exist; also wan)",
    );
}

#[test]
fn warnings_come_once_and_the_worst_first() {
    let mut document = base(State::Master);
    let instance = &mut document.instances.as_mut().unwrap()[0];
    instance.warnings =
        vec![warning(WarningKind::BadPackets, 1.0), warning(WarningKind::AddressMissing, 1.0)];
    instance.objects[0].present = false;
    document.daemon.records_lost = 2;
    document.warnings = vec![warning(WarningKind::BadPackets, 1.0)];
    document.conclude();
    let kinds: Vec<_> = document.warnings.iter().map(|warning| warning.kind).collect();
    assert_eq!(
        kinds,
        [WarningKind::AddressMissing, WarningKind::BadPackets, WarningKind::RecordsLost]
    );
}

#[test]
fn each_family_has_its_warning() {
    let mut document = base(State::Backup);
    let instance = &mut document.instances.as_mut().unwrap()[0];
    instance.routers.push(instance.routers[0].clone());
    instance.routers[1].family = "IPv6".to_owned();
    instance.routers[1].master = master("fe80::3", 30.0);
    instance.routers[0].master = None;
    document.conclude();
    let texts: Vec<_> = document.warnings.iter().map(|warning| warning.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "lan (IPv4): no router is master: none was heard for 2 d 3 h",
            "lan (IPv6): no router is master: fe80::3 was last heard 30 s ago"
        ]
    );
}

#[test]
fn one_instance_alone() {
    let mut document = base(State::Master);
    document.instances.as_mut().unwrap()[0].state = State::Fault;
    document.conclude();
    let wan = document.clone().only("wan");
    assert_eq!(wan.verdict.text, "OK: MASTER of 1/1");
    assert_eq!(wan.warnings, []);
    assert!(wan.transitions.iter().all(|event| event.instance.as_deref() == Some("wan")));
    assert!(document.clone().only("lan").verdict.text.starts_with("DEGRADED: 1 of 1"));
}
