//! The cluster of the current context, and every API server that its address stands for.

use anyhow::Context;
use attack::Server;
use clap::Args;
use http::Uri;
use http::header::HOST;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use operator::prove::Connect;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Which cluster, as kubectl is told.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Selection {
    /// The kubeconfig; if not given, $KUBECONFIG, ~/.kube/config, or the pod's own account
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

impl Selection {
    async fn config(&self) -> anyhow::Result<Config> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let config = match &self.kubeconfig {
            Some(path) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await?,
            None if self.context.is_some() => Config::from_kubeconfig(&options).await?,
            None => Config::infer().await?,
        };
        Ok(config)
    }

    /// A way to the cluster, and one that opens a new connection each time, to each of its API servers in turn.
    pub(crate) async fn connect(&self) -> anyhow::Result<(Client, Connect)> {
        let config = self.config().await.context("there is no cluster to look at")?;
        let configs = addresses(config.clone()).await?;
        let client = Client::try_from(config).context("the kubeconfig cannot be used")?;
        let turn = AtomicUsize::new(0);
        let connect: Connect = Box::new(move || {
            let turn = turn.fetch_add(1, Ordering::Relaxed);
            let config = configs.get(turn % configs.len().max(1)).ok_or("the cluster has no address")?;
            Client::try_from(config.clone()).map_err(|error| error.to_string())
        });
        Ok((client, connect))
    }

    /// Every API server that the cluster's address stands for.
    pub(crate) async fn servers(&self) -> anyhow::Result<Vec<Server>> {
        let config = self.config().await.context("there is no cluster to look at")?;
        let mut servers = Vec::new();
        for config in addresses(config).await? {
            servers.push(server(config)?);
        }
        Ok(servers)
    }
}

/// The configuration once for each address of its host.
async fn addresses(config: Config) -> anyhow::Result<Vec<Config>> {
    let host = config.cluster_url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    if host.parse::<IpAddr>().is_ok() || config.proxy_url.is_some() {
        return Ok(vec![config]);
    }
    let port = config.cluster_url.port_u16().unwrap_or(if is_plain(&config) { 80 } else { 443 });
    let found = tokio::net::lookup_host((host.as_str(), port)).await.with_context(|| format!("cannot find {host}"))?;
    let mut addresses: Vec<_> = found.collect();
    addresses.sort();
    addresses.dedup();
    addresses.into_iter().map(|address| at(&config, &host, &address.to_string())).collect()
}

fn is_plain(config: &Config) -> bool {
    config.cluster_url.scheme_str() == Some("http")
}

/// The same cluster by one address, which still is asked for, and has to show the certificate of, the host.
fn at(config: &Config, host: &str, address: &str) -> anyhow::Result<Config> {
    let scheme = config.cluster_url.scheme_str().unwrap_or("https");
    let path = config.cluster_url.path_and_query().map_or("/", |path| path.as_str());
    let mut config = config.clone();
    // A proxy in front of several clusters goes by the name.
    let name = config.cluster_url.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    config.headers.push((HOST, name.parse()?));
    config.cluster_url = Uri::builder().scheme(scheme).authority(address).path_and_query(path).build()?;
    config.tls_server_name.get_or_insert_with(|| host.to_owned());
    Ok(config)
}

fn server(config: Config) -> anyhow::Result<Server> {
    let address = config.cluster_url.authority().map(ToString::to_string).unwrap_or_default();
    let mut nobody = config.clone();
    nobody.auth_info = AuthInfo::default();
    let client = |config: Config| Client::try_from(config).context("the kubeconfig cannot be used");
    Ok(Server { address, operator: client(config)?, nobody: client(nobody)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use attack::exchange::{Credentials, Sent, send};
    use sandbox::server::{Authority, administrator, kubeconfig, serve};
    use sandbox::{Sandbox, Settings};
    use serde_json::from_value;
    use tokio::net::TcpListener;
    use tokio::sync::watch;

    fn config(url: &str) -> Config {
        Config::new(url.parse().unwrap())
    }

    #[test]
    fn an_address_is_asked_by_the_name_of_its_host() {
        let config = config("https://clusters.example:6443/k8s/one");
        let at = at(&config, "clusters.example", "192.0.2.1:6443").unwrap();
        assert_eq!(at.cluster_url, "https://192.0.2.1:6443/k8s/one");
        assert_eq!(at.tls_server_name.as_deref(), Some("clusters.example"));
        assert_eq!(at.headers, [(HOST, "clusters.example:6443".parse().unwrap())]);
    }

    #[tokio::test]
    async fn names_are_looked_up_and_addresses_are_not() {
        for (url, expected) in [
            ("https://127.0.0.1:6443", "https://127.0.0.1:6443/"),
            ("https://[::1]:6443/k", "https://[::1]:6443/k"),
            ("https://localhost:6443/k", "https://127.0.0.1:6443/k"),
            ("https://localhost", "https://127.0.0.1:443/"),
            ("http://localhost", "http://127.0.0.1:80/"),
        ] {
            let found = addresses(config(url)).await.unwrap();
            let urls: Vec<String> = found.iter().map(|config| config.cluster_url.to_string()).collect();
            assert!(urls.contains(&expected.to_owned()), "{url}: {urls:?}");
        }
    }

    /// Puts a sandbox on a free port, with a certificate for a name.
    async fn served(authority: &Authority, name: &str, stop: &watch::Sender<bool>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let sandbox = Sandbox::start(Settings::default()).unwrap();
        let tls = authority.server(&[name.to_owned()]).unwrap();
        tokio::spawn(serve(sandbox, listener, tls, stop.subscribe()));
        address
    }

    #[tokio::test]
    async fn each_address_has_to_show_the_certificate_of_the_host() {
        let (authority, (stop, _)) = (Authority::generate().unwrap(), watch::channel(false));
        let user = authority.client(&administrator().username, &["system:masters"]).unwrap();
        let file = kubeconfig("https://clusters.example:6443", &authority, &user);
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(from_value(file).unwrap(), &options).await.unwrap();
        for (name, is_right) in [("clusters.example", true), ("clusters.example", true), ("other.example", false)] {
            let address = served(&authority, name, &stop).await;
            let server = server(at(&config, "clusters.example", &address).unwrap()).unwrap();
            let answer = send(&server.operator, &Credentials::Own, &Sent::bare("GET", "/api/v1/nodes")).await;
            assert_eq!(answer.is_ok_and(|answer| answer.code == 200), is_right, "{name}");
            assert_eq!(server.address, address);
        }
    }
}
