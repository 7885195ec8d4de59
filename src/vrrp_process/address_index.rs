//! The objects of the configuration that are about an address, to be found by it.

use std::net::IpAddr;

use crate::vrrp::ObjectId;

#[derive(Clone, Copy, Debug)]
struct Entry {
    address: IpAddr,
    object: ObjectId,
    moves: bool,
}

/// The addresses of a configuration, in order.
#[derive(Debug, Default)]
pub struct AddressIndex(Vec<Entry>);

impl AddressIndex {
    /// Forgets all other objects.
    pub fn retain(&mut self, stays: impl Fn(ObjectId) -> bool) {
        self.0.retain(|entry| stays(entry.object));
    }

    /// One more. `moves`: it is no source for adverts, since it does not stay on a router.
    pub fn add(&mut self, address: IpAddr, object: ObjectId, moves: bool) {
        // Most come in order, so that most are put at the end.
        let at = self.0.partition_point(|entry| entry.address <= address);
        self.0.insert(at, Entry { address, object, moves });
    }

    /// The objects that are about an address.
    pub fn of(&self, address: IpAddr) -> impl Iterator<Item = ObjectId> {
        self.entries(address).map(|entry| entry.object)
    }

    /// Whether it is one that moves.
    pub fn moves(&self, address: IpAddr) -> bool {
        self.entries(address).any(|entry| entry.moves)
    }

    fn entries(&self, address: IpAddr) -> impl Iterator<Item = &Entry> {
        let first = self.0.partition_point(|entry| entry.address < address);
        let from_there = self.0.get(first..).unwrap_or_default().iter();
        from_there.take_while(move |entry| entry.address == address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vrrp::InstanceId;

    fn object(instance: u32) -> ObjectId {
        ObjectId::of(InstanceId::new(instance))
    }

    #[test]
    fn an_address_may_be_of_several_objects() {
        let [one, two, three]: [IpAddr; 3] =
            [[192, 0, 2, 1], [192, 0, 2, 2], [192, 0, 2, 3]].map(Into::into);
        let mut all = AddressIndex::default();
        for (address, instance, moves) in
            [(two, 1, false), (one, 2, false), (three, 3, true), (two, 4, true), (one, 5, false)]
        {
            all.add(address, object(instance), moves);
        }
        let of = |all: &AddressIndex, address| {
            all.of(address).map(|o| o.instance.index()).collect::<Vec<_>>()
        };
        let found = of(&all, two);
        assert_eq!(found, [1, 4]);
        assert_eq!([one, two, three].map(|address| all.moves(address)), [false, true, true]);
        all.retain(|object| ![3, 4].contains(&object.instance.index()));
        let found = of(&all, two);
        assert_eq!(found, [1]);
        assert_eq!([one, two, three].map(|address| all.moves(address)), [false; 3]);
        assert_eq!(all.of(three).count(), 0);
    }
}
