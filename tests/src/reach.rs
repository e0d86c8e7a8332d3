//! The ways to reach a sandbox: in this process, and over HTTPS as every other client does.

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use sandbox::server::{Authority, administrator, kubeconfig, serve};
use sandbox::{Sandbox, Settings};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::wire::Address;

/// A sandbox on a socket of this machine. It stops when it is dropped.
#[derive(Debug)]
pub struct Served {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// The kubeconfig of its administrator.
    pub kubeconfig: Value,
    /// Where it listens.
    pub address: Address,
    _stop: watch::Sender<bool>,
}

impl Served {
    /// Starts a sandbox on a free port.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(settings: Settings) -> Self {
        Self::over(Sandbox::start(settings).expect("a sandbox starts")).await
    }

    /// Puts a sandbox on a free port.
    ///
    /// # Panics
    /// If there is none.
    pub async fn over(sandbox: Sandbox) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let authority = Authority::generate().expect("a certificate can be made");
        let user = authority.client(&administrator().username, &["system:masters"]).expect("a certificate can be made");
        let tls = authority.server(&["127.0.0.1".to_owned()]).expect("a certificate can be made");
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve(sandbox.clone(), listener, tls, stopped));
        let kubeconfig = kubeconfig(&format!("https://{address}"), &authority, &user);
        let address = Address { port: address.port(), authority: authority.certificate().into() };
        Self { sandbox, kubeconfig, address, _stop: stop }
    }

    /// A client with the kubeconfig.
    ///
    /// # Panics
    /// If the kubeconfig is not usable.
    pub async fn client(&self) -> Client {
        Self::client_with(self.kubeconfig.clone()).await
    }

    /// A client that is the bearer of a token.
    ///
    /// # Panics
    /// If the kubeconfig is not usable.
    pub async fn bearing(&self, token: &str) -> Client {
        let mut kubeconfig = self.kubeconfig.clone();
        kubeconfig["users"][0]["user"] = json!({"token": token});
        Self::client_with(kubeconfig).await
    }

    async fn client_with(kubeconfig: Value) -> Client {
        let file: Kubeconfig = serde_json::from_value(kubeconfig).expect("is a kubeconfig");
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
        Client::try_from(config.expect("the kubeconfig is complete")).expect("the configuration is complete")
    }
}

/// A client of a sandbox in this process.
#[must_use]
pub fn inside(sandbox: &Sandbox) -> Client {
    Client::new(sandbox.admin(), "default")
}
