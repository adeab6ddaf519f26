//! Opening the doors: all ports at once, before anything slow, with a clear word about a taken one.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::config::Config;
use crate::doctor::holder;
use crate::error::Error;
use crate::role::Role;

/// A bound port, not served yet: callers already queue in the system's backlog.
#[derive(Debug)]
pub(crate) struct Door {
    /// Whose door.
    pub(crate) role: Role,
    /// The port.
    pub(crate) listener: TcpListener,
    /// Address for callers on this machine.
    pub(crate) url: String,
}

/// Binds the door of every role of this node that has one.
pub(crate) async fn bind(config: &Config) -> Result<Vec<Door>, Error> {
    let places = [
        (Role::Coordinator, config.coordinator.bind),
        (Role::Inference, config.inference.bind),
        (Role::Control, config.control.bind),
        (Role::Ide, config.ide.bind),
        (Role::Portal, config.portal.bind),
    ];
    let mut doors = Vec::new();
    for ((role, bind), (key, port)) in places.into_iter().zip(config.ports()) {
        if !config.node.roles.contains(&role) {
            continue;
        }
        let port = if port == 0 { 0 } else { port.saturating_add(config.node.port_offset) };
        let listener = TcpListener::bind((bind, port)).await.map_err(|error| taken(key, port, error))?;
        let address = listener.local_addr().map_err(|error| taken(key, port, error))?;
        doors.push(Door { role, listener, url: format!("http://{}", from_here(address)) });
    }
    Ok(doors)
}

/// A door open to all interfaces is reached from here by the loopback address.
fn from_here(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    if address.ip().is_unspecified() { SocketAddr::new(loopback, address.port()) } else { address }
}

fn taken(key: &'static str, port: u16, source: std::io::Error) -> Error {
    let by = if source.kind() == ErrorKind::AddrInUse {
        holder(port).map_or_else(String::new, |holder| format!(", taken by {holder}"))
    } else {
        String::new()
    };
    Error::Port { key, port, by, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_names_the_way_out() {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut config = Config::default();
        config.node.roles = vec![Role::Ide];
        config.ide.port = first.local_addr().unwrap().port();
        let message = bind(&config).await.unwrap_err().to_string();
        assert!(message.contains("ide.port") && message.contains("--alt-ports"), "{message}");
        config.ide.port = 0;
        assert_eq!(bind(&config).await.unwrap().len(), 1);
    }

    #[test]
    fn doors_to_everywhere_are_reached_by_loopback() {
        let check = |bound: &str, here: &str| {
            assert_eq!(from_here(bound.parse().unwrap()).to_string(), here);
        };
        check("0.0.0.0:1", "127.0.0.1:1");
        check("[::]:1", "[::1]:1");
        check("10.0.0.7:1", "10.0.0.7:1");
    }
}
