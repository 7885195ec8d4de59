//! Octets as choices. When they are used up, every choice is zero.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is left of the input.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// So many octets, or as many as there are.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.take(N);
        let mut array = [0; N];
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    pub fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub fn flag(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    /// 0 to `bound` - 1.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.u8()) % bound
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// An octet that says how many follow, and those.
    pub fn some(&mut self) -> &'a [u8] {
        let len = self.u8();
        self.take(len.into())
    }

    pub fn ipv4(&mut self) -> Ipv4Addr {
        self.array::<4>().into()
    }

    pub fn ipv6(&mut self) -> Ipv6Addr {
        self.array::<16>().into()
    }

    pub fn ip(&mut self) -> IpAddr {
        if self.flag() { self.ipv6().into() } else { self.ipv4().into() }
    }
}
