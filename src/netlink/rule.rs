//! Policy rules: the requests to list, add and delete rules, and decoding the kernel's messages
//! (`netlink` rules, section 5).

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{FrAct, Frattr, Frf, RtTable, Rtm};
use neli::rtnl::{Fibmsg, FibmsgBuilder};
use neli::types::{Buffer, RtBuffer};

use super::codec::{self, Unencodable, address_value};
use super::consts;
use super::error::string;
use super::frame::{self, Malformed, Sequence, attributes, u16_at, u32_at};
use crate::net::{Prefix, Rule, RuleAction, TableId};
use crate::units::Family;

/// Octets of the fixed part: family, two prefix lengths, type of service, table, two reserved,
/// action, flags.
const FIXED_LEN: usize = 12;

/// The body of a request. It always has the whole rule, since the kernel compares every selector in a
/// request to delete (`netlink:N-60`).
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

/// Appends the request to add a rule. An existing identical rule is an error (EEXIST); without EXCL
/// the kernel would add it twice (`netlink:N-60`).
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

/// Appends the request for all rules of a family.
///
/// # Errors
/// [`Unencodable`], which does not happen: the request has a fixed length.
pub fn encode_dump(
    octets: &mut Vec<u8>,
    sequence: Sequence,
    family: Family,
) -> Result<(), Unencodable> {
    let body = FibmsgBuilder::default()
        .fib_family(codec::family(family))
        .fib_dst_len(0)
        .fib_src_len(0)
        .fib_tos(0)
        .fib_table(RtTable::Unspec)
        .fib_action(FrAct::Unspec)
        .build()
        .map_err(|_| Unencodable)?;
    codec::encode(octets, Rtm::Getrule, NlmF::REQUEST | NlmF::DUMP, sequence, body)
}

/// Decodes the payload of NEWRULE or DELRULE; `None` when the rule belongs to another program, or has
/// selectors that our rules cannot have. Before Linux 4.17 rules have no protocol number; there every
/// rule may be ours.
///
/// # Errors
/// [`Malformed`] when lengths are wrong.
pub fn decode(payload: &[u8]) -> Result<Option<Rule>, Malformed> {
    let (fixed, rest) = payload.split_first_chunk::<FIXED_LEN>().ok_or(Malformed::Length)?;
    let [family, to_len, from_len, tos, table, _, _, action, flags @ ..] = *fixed;
    let Some(family) = codec::family_of(family) else { return Ok(None) };
    let mut rule = Rule {
        family,
        priority: 0,
        invert: u32::from_ne_bytes(flags) & consts::FIB_RULE_INVERT != 0,
        from: None,
        to: None,
        iif: None,
        oif: None,
        tos,
        fwmark: None,
        ip_protocol: None,
        source_ports: None,
        destination_ports: None,
        uid_range: None,
        action: RuleAction::Table(TableId(table.into())),
        suppress_prefix_len: None,
        track: true,
    };
    let prefix = |value, len| Ok(Some(Prefix { address: frame::address(value)?, len }));
    let octet = |value: &[u8]| value.first().copied().ok_or(Malformed::Body);
    let ports = |value| Ok(Some((u16_at(value, 0)?, u16_at(value, 2)?)));
    let (mut table, mut goto) = (u32::from(table), 0);
    let (mut mark, mut mask) = (None, None);
    for attribute in attributes(rest) {
        let (kind, value) = attribute?;
        let kind = Frattr::from(kind);
        if kind == Frattr::Dst {
            rule.to = prefix(value, to_len)?;
        } else if kind == Frattr::Src {
            rule.from = prefix(value, from_len)?;
        } else if kind == Frattr::Iifname {
            rule.iif = Some(string(value));
        } else if kind == Frattr::Oifname {
            rule.oif = Some(string(value));
        } else if kind == Frattr::Goto {
            goto = u32_at(value, 0)?;
        } else if kind == Frattr::Priority {
            rule.priority = u32_at(value, 0)?;
        } else if kind == Frattr::Fwmark {
            mark = Some(u32_at(value, 0)?);
        } else if kind == Frattr::Fwmask {
            mask = Some(u32_at(value, 0)?);
        } else if kind == Frattr::Table {
            table = u32_at(value, 0)?;
        } else if kind == Frattr::UidRange {
            rule.uid_range = Some((u32_at(value, 0)?, u32_at(value, 4)?));
        } else if kind == Frattr::IpProto {
            rule.ip_protocol = Some(octet(value)?);
        } else if kind == Frattr::SportRange {
            rule.source_ports = ports(value)?;
        } else if kind == Frattr::DportRange {
            rule.destination_ports = ports(value)?;
        } else if kind == Frattr::SuppressPrefixlen {
            let len = u32_at(value, 0)?;
            let suppresses = len != consts::NOT_SUPPRESSED;
            rule.suppress_prefix_len = suppresses.then_some(u8::try_from(len).unwrap_or(u8::MAX));
        } else if kind == Frattr::Protocol {
            if octet(value)? != consts::OWN_PROTOCOL {
                return Ok(None);
            }
        } else if kind == Frattr::SportMask || kind == Frattr::DportMask {
            if u16_at(value, 0)? != u16::MAX {
                return Ok(None);
            }
        } else if kind != Frattr::Pad {
            return Ok(None);
        }
    }
    if mark.is_some() || mask.is_some() {
        rule.fwmark = Some((mark.unwrap_or(0), mask.unwrap_or(u32::MAX)));
    }
    rule.action = match action {
        consts::FR_ACT_TO_TBL => RuleAction::Table(TableId(table)),
        consts::FR_ACT_GOTO => RuleAction::Goto(goto),
        consts::FR_ACT_BLACKHOLE => RuleAction::Blackhole,
        consts::FR_ACT_UNREACHABLE => RuleAction::Unreachable,
        consts::FR_ACT_PROHIBIT => RuleAction::Prohibit,
        _ => return Ok(None),
    };
    Ok(Some(rule))
}

/// Whether a rule of the kernel is a configured one.
pub fn is(seen: &Rule, rule: &Rule) -> bool {
    // The kernel does not report selectors that match everything.
    let some = |prefix: Option<Prefix>| prefix.filter(|prefix| prefix.len > 0);
    let mark = |rule: &Rule| rule.fwmark.filter(|mark| *mark != (0, 0));
    let plain = |rule: &Rule| Rule {
        from: some(rule.from),
        to: some(rule.to),
        fwmark: mark(rule),
        track: true,
        ..rule.clone()
    };
    plain(seen) == plain(rule)
}
