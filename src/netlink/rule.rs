//! Policy rules: the requests to add and delete them (`netlink` rules, section 5).

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{FrAct, Frattr, Frf, RtTable, Rtm};
use neli::rtnl::{Fibmsg, FibmsgBuilder};
use neli::types::{Buffer, RtBuffer};

use super::codec::{self, Unencodable, address_value};
use super::consts;
use super::frame::Sequence;
use crate::config::routes::{Prefix, Rule, RuleAction};

/// The whole rule: the kernel compares every selector that a request to delete has
/// (`netlink:N-60`).
fn body(rule: &Rule) -> Result<Fibmsg, Unencodable> {
    let mut attributes: RtBuffer<Frattr, Buffer> = RtBuffer::new();
    let mut add = |kind: Frattr, value: &[u8]| {
        codec::attribute(kind, value).map(|attribute| attributes.push(attribute))
    };
    let prefix = |prefix: Option<Prefix>| prefix.filter(|p| p.len > 0);
    let (from, to) = (prefix(rule.from), prefix(rule.to));
    for (kind, prefix) in [(Frattr::Src, from), (Frattr::Dst, to)] {
        if let Some(prefix) = prefix {
            add(kind, &address_value(prefix.address))?;
        }
    }
    for (kind, name) in [(Frattr::Iifname, &rule.iif), (Frattr::Oifname, &rule.oif)] {
        if let Some(name) = name {
            add(kind, &[name.as_bytes(), &[0]].concat())?;
        }
    }
    add(Frattr::Priority, &rule.priority.to_ne_bytes())?;
    if let Some((mark, mask)) = rule.fwmark {
        add(Frattr::Fwmark, &mark.to_ne_bytes())?;
        add(Frattr::Fwmask, &mask.to_ne_bytes())?;
    }
    if let Some(protocol) = rule.ip_protocol {
        add(Frattr::IpProto, &[protocol])?;
    }
    for (kind, ports) in
        [(Frattr::SportRange, rule.source_ports), (Frattr::DportRange, rule.destination_ports)]
    {
        if let Some((first, last)) = ports {
            add(kind, [first, last].map(u16::to_ne_bytes).as_flattened())?;
        }
    }
    if let Some((first, last)) = rule.uid_range {
        add(Frattr::UidRange, [first, last].map(u32::to_ne_bytes).as_flattened())?;
    }
    if let Some(len) = rule.suppress_prefix_len {
        add(Frattr::SuppressPrefixlen, &u32::from(len).to_ne_bytes())?;
    }
    add(Frattr::Protocol, &[consts::OWN_PROTOCOL])?;
    let (action, table) = match rule.action {
        RuleAction::Table(table) => {
            let short = codec::short_table(table);
            if short.is_none() {
                add(Frattr::Table, &table.0.to_ne_bytes())?;
            }
            (consts::FR_ACT_TO_TBL, short.unwrap_or(RtTable::Compat))
        }
        RuleAction::Goto(priority) => {
            add(Frattr::Goto, &priority.to_ne_bytes())?;
            (consts::FR_ACT_GOTO, RtTable::Unspec)
        }
        RuleAction::Blackhole => (consts::FR_ACT_BLACKHOLE, RtTable::Unspec),
        RuleAction::Unreachable => (consts::FR_ACT_UNREACHABLE, RtTable::Unspec),
        RuleAction::Prohibit => (consts::FR_ACT_PROHIBIT, RtTable::Unspec),
    };
    let flags = if rule.invert { consts::FIB_RULE_INVERT } else { 0 };
    FibmsgBuilder::default()
        .fib_family(codec::family(rule.family))
        .fib_dst_len(to.map_or(0, |prefix| prefix.len))
        .fib_src_len(from.map_or(0, |prefix| prefix.len))
        .fib_tos(rule.tos)
        .fib_table(table)
        .fib_action(FrAct::from(action))
        .fib_flags(Frf::from_bits_retain(flags))
        .rtattrs(attributes)
        .build()
        .map_err(|_| Unencodable)
}

/// Appends the request to add a rule. That it is there already is an error (EEXIST): without EXCL
/// it would be there twice (`netlink:N-60`).
///
/// # Errors
/// [`Unencodable`] when the name of an interface is too long for an attribute.
pub fn encode_add(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    rule: &Rule,
) -> Result<(), Unencodable> {
    let how = NlmF::REQUEST | NlmF::ACK | NlmF::CREATE | NlmF::EXCL;
    codec::encode(octets, Rtm::Newrule, how, sequence, body(rule)?)
}

/// Appends the request to delete a rule.
///
/// # Errors
/// As [`encode_add`].
pub fn encode_delete(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    rule: &Rule,
) -> Result<(), Unencodable> {
    codec::encode(octets, Rtm::Delrule, NlmF::REQUEST | NlmF::ACK, sequence, body(rule)?)
}
