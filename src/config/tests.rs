use super::*;

/// Reads a text that has to be good.
fn good(text: &str) -> Model {
    let parsed = parse(text, None);
    let messages: Vec<&str> = parsed.diagnostics.iter().map(|d| d.message.as_str()).collect();
    parsed.model.unwrap_or_else(|| panic!("{messages:#?}"))
}

#[test]
fn the_example_of_the_design_is_read() {
    let model = good(
        r#"
[global]
router_id = "gw-a"

[vrrp.instance.lan]
interface = "br-lan"
virtual_router_id = 51
priority = 150
version = 3
advertisement_interval = "1s"
virtual_addresses = ["192.168.1.1/24", { address = "192.168.1.2/24", label = "br-lan:v" }]
virtual_routes = ["default via 203.0.113.1 dev wan"]
track_interfaces = ["wan"]
preempt = true
preempt_delay = "0s"
"#,
    );
    let lan = &model.instances[0];
    assert_eq!(&*lan.name, "lan");
    assert_eq!(lan.addresses.len(), 2);
    assert_eq!(lan.routes.len(), 1);
    assert_eq!(&*lan.track.interfaces[0].name, "wan");
}
