//! Finding the instance that has to run next: a binary heap with one entry per instance, whose memory is
//! taken when instances are added and never on an advert.

use crate::units::Instant;

/// An indexed binary min-heap of (time, key). Keys are small integers.
#[derive(Debug, Default)]
pub struct Schedule {
    heap: Vec<(Instant, u32)>,
    /// Where in the heap each key is.
    place: Vec<Option<u32>>,
}

impl Schedule {
    /// Makes room for keys below `keys`.
    pub fn reserve(&mut self, keys: usize) {
        self.place.resize(self.place.len().max(keys), None);
        self.heap.reserve(keys.saturating_sub(self.heap.len()));
    }

    /// The earliest entry.
    pub fn first(&self) -> Option<(Instant, u32)> {
        self.heap.first().copied()
    }

    /// Hands over the keys that are due, in no order, and says when the first of the others is.
    pub fn due(&self, now: Instant, take: &mut impl FnMut(u32)) -> Option<Instant> {
        self.due_below(0, now, take)
    }

    /// The same for an entry and what is below it, where nothing is earlier. As deep as the heap.
    fn due_below(&self, place: usize, now: Instant, take: &mut impl FnMut(u32)) -> Option<Instant> {
        let &(at, key) = self.heap.get(place)?;
        if at > now {
            return Some(at);
        }
        take(key);
        let left = self.due_below(2 * place + 1, now, take);
        let right = self.due_below(2 * place + 2, now, take);
        [left, right].into_iter().flatten().min()
    }

    /// Sets, moves or removes the entry of a key. Keys that were not reserved are ignored.
    pub fn update(&mut self, key: u32, at: Option<Instant>) {
        let place = self.place.get(key as usize).copied().flatten();
        match (place, at) {
            (None, None) => {}
            (None, Some(at)) => {
                if let Some(slot) = self.place.get_mut(key as usize) {
                    let last = u32::try_from(self.heap.len()).unwrap_or(u32::MAX);
                    *slot = Some(last);
                    self.heap.push((at, key));
                    self.rise(last);
                }
            }
            (Some(place), Some(at)) => {
                if let Some(entry) = self.heap.get_mut(place as usize) {
                    if entry.0 == at {
                        return;
                    }
                    entry.0 = at;
                    self.rise(place);
                    self.sink(place);
                }
            }
            (Some(place), None) => {
                let last = u32::try_from(self.heap.len()).unwrap_or(u32::MAX).saturating_sub(1);
                self.swap(place, last);
                self.heap.pop();
                if let Some(slot) = self.place.get_mut(key as usize) {
                    *slot = None;
                }
                self.rise(place);
                self.sink(place);
            }
        }
    }

    /// Swaps two places of the heap.
    fn swap(&mut self, a: u32, b: u32) {
        if a == b || (a.max(b) as usize) >= self.heap.len() {
            return;
        }
        self.heap.swap(a as usize, b as usize);
        for place in [a, b] {
            if let Some(&entry) = self.heap.get(place as usize) {
                self.put(place, entry);
            }
        }
    }

    /// Writes an entry to a place.
    fn put(&mut self, place: u32, entry: (Instant, u32)) {
        if let Some(there) = self.heap.get_mut(place as usize) {
            *there = entry;
        }
        if let Some(slot) = self.place.get_mut(entry.1 as usize) {
            *slot = Some(place);
        }
    }

    /// Moves an entry up to where it belongs, and the others of its way down.
    fn rise(&mut self, mut place: u32) {
        let Some(&entry) = self.heap.get(place as usize) else { return };
        while place > 0 {
            let parent = (place - 1) / 2;
            match self.heap.get(parent as usize) {
                Some(&above) if above.0 > entry.0 => self.put(place, above),
                Some(_) | None => break,
            }
            place = parent;
        }
        self.put(place, entry);
    }

    /// Moves an entry down to where it belongs, and the others of its way up.
    fn sink(&mut self, mut place: u32) {
        let Some(&entry) = self.heap.get(place as usize) else { return };
        loop {
            let left = 2 * place + 1;
            let mut least = left;
            let Some(&(mut below)) = self.heap.get(left as usize) else { break };
            if let Some(&right) = self.heap.get(left as usize + 1)
                && right.0 < below.0
            {
                (least, below) = (left + 1, right);
            }
            if below.0 >= entry.0 {
                break;
            }
            self.put(place, below);
            place = least;
        }
        self.put(place, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_earliest_after_any_sequence_of_changes() {
        let mut schedule = Schedule::default();
        schedule.reserve(20);
        let mut model = [None; 20];
        let mut random = 7_u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = (random >> 33) % 20;
            let at = (random >> 40) % 50;
            let at = (at > 10).then(|| Instant::from_nanos(at));
            schedule.update(key as u32, at);
            model[key as usize] = at;
            assert_eq!(schedule.first().map(|f| f.0), model.iter().copied().flatten().min());
            if let Some((at, key)) = schedule.first() {
                assert_eq!(model[key as usize], Some(at));
            }
            let now = Instant::from_nanos((random >> 20) % 60);
            let mut due = Vec::new();
            let next = schedule.due(now, &mut |key| due.push(key));
            due.sort_unstable();
            let expected = |key: &u32| model[*key as usize].is_some_and(|at| at <= now);
            assert_eq!(due, (0..20).filter(expected).collect::<Vec<u32>>());
            assert_eq!(next, model.iter().copied().flatten().filter(|at| *at > now).min());
        }
    }

    #[test]
    fn takes_no_memory_once_reserved() {
        let mut schedule = Schedule::default();
        schedule.reserve(100);
        let capacity = schedule.heap.capacity();
        for round in 0..1000_u64 {
            schedule.update((round % 100) as u32, Some(Instant::from_nanos(round)));
        }
        assert_eq!(schedule.heap.capacity(), capacity);
        schedule.update(200, Some(Instant::ORIGIN));
        assert_eq!(schedule.heap.len(), 100);
    }
}
