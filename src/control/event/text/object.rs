//! What an address, route or rule is called.

use std::fmt::Write;

use crate::net::{Route, RouteKind, TableId};
use crate::vrrp::settings::Object;

/// An address, route or rule as the configuration has it.
pub fn object(object: &Object) -> String {
    match object {
        Object::Filter => "the packet filter".into(),
        Object::Address(address) | Object::Excluded(address) => {
            format!("{}/{}", address.address, address.prefix_len)
        }
        Object::Route(route) => route_text(route),
        Object::Rule(rule) => format!("rule {}", rule.priority),
    }
}

fn route_text(route: &Route) -> String {
    let kind = match route.kind {
        RouteKind::Unicast => "",
        RouteKind::Local => "local ",
        RouteKind::Broadcast => "broadcast ",
        RouteKind::Multicast => "multicast ",
        RouteKind::Blackhole => "blackhole ",
        RouteKind::Unreachable => "unreachable ",
        RouteKind::Prohibit => "prohibit ",
        RouteKind::Throw => "throw ",
    };
    let mut words = if route.destination.len == 0 {
        format!("route {kind}default")
    } else {
        format!("route {kind}{}", route.destination)
    };
    for hop in &route.next_hops {
        // Writing to a String cannot fail.
        if let Some(via) = hop.via {
            let _ = write!(words, " via {via}");
        }
        if let Some(interface) = &hop.interface {
            let _ = write!(words, " dev {interface}");
        }
    }
    if let Some(metric) = route.metric {
        let _ = write!(words, " metric {metric}");
    }
    if route.table != TableId::MAIN {
        let _ = write!(words, " table {}", route.table.0);
    }
    words
}
