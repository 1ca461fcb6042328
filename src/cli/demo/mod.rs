//! `consentry demo`: the whole product on this machine with nothing to install or configure:
//! temporary data, fresh keys, three streams, a built-in sink that shows what left. Tells a story
//! on the terminal, then stays up.

mod pages;
mod story;
mod tool;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::story::{PASSWORD, Stage};
use super::serve::{Parts, Sockets, drain, end_signal, start};
use super::sink::Sink;
use crate::config::Config;
use crate::credentials::hash_password;
use crate::entropy::random;
use crate::office::Role;
use crate::sign::{Algorithm, Signer};
use crate::store::{Scope, Store};
use crate::{http, smtp};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Port for SMTP on 127.0.0.1.
    #[arg(long, default_value_t = 2525)]
    smtp_port: u16,
    /// Port for the pages on 127.0.0.1.
    #[arg(long, default_value_t = 8025)]
    http_port: u16,
    /// Ends after the story instead of staying up.
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    println!("Consentry demo: no recorded legal basis, no marketing mail.");
    let data = DataDir::create()?;
    let sink_listener = TcpListener::bind((LOOPBACK, 0)).await?;
    let config = config(&arguments, &data, sink_listener.local_addr()?)?;
    let sockets = Sockets::bind(&config).await.context("is another demo running? choose ports by --smtp-port and --http-port")?;
    let smtp_address = sockets.smtp[0].0.name()?.parse()?;
    let http_address = sockets.http.local_addr()?;
    // With port 0 the address is known only now.
    let config = Config { public_url: format!("http://{http_address}"), ..config };
    let (parts, late) = Parts::over(&config, Store::open_on(&config.data_dir, config.database.as_ref()).await?)?;
    let token = parts.desk.add_api_token("demo website", &[Scope::OptIn, Scope::Decisions], jiff::Timestamp::now()).await?;

    let password = zeroize::Zeroizing::new(PASSWORD.to_owned());
    parts.office.add_operator("demo", Role::Legal, password, jiff::Timestamp::now()).await?;

    let sink = Sink::new();
    let (stop, stopped) = watch::channel(false);
    let pages = pages::router(pages::Demo { sink: Arc::clone(&sink), desk: parts.desk.clone(), smtp: smtp_address });
    let router = http::router(&parts.desk, &parts.office, &config.http, pages)?;
    // From now on, amid the story too: whoever ends it leaves nothing behind.
    let mut end = std::pin::pin!(end_signal()?);
    let mut running = start(&config, &parts, late, sockets, router, stopped.clone()).await?;
    running.spawn(smtp::serve(
        smtp::Socket::Tcp(sink_listener),
        smtp::Door::submission(smtp::Tls::Off),
        smtp::Server::new(Arc::clone(&sink), config.smtp.clone(), []),
        super::serve::until(stopped),
    ));

    let stage = Stage { smtp: smtp_address, http: http_address, public_url: &config.public_url, token: &token, sink: &sink };
    let ended = tokio::select! {
        told = stage.tell() => told.map(|()| false)?,
        () = &mut end => true,
    };
    if !ended && !arguments.once {
        println!("\nThat was the story. It goes on as long as you like:");
        println!("    look around    {}/demo", config.public_url);
        println!("    administer     {}/admin, name demo, password {PASSWORD}", config.public_url);
        println!("    point a tool   host 127.0.0.1, port {}, user newsletter, shop or unmarked, password {PASSWORD}", smtp_address.port());
        println!("                   From: anything@nordlicht.example");
        println!(
            "    or by hand     swaks --server {smtp_address} --auth PLAIN --auth-user newsletter --auth-password {PASSWORD} \\\n                         --from news@nordlicht.example --to you@people.example"
        );
        println!("    end it         Ctrl-C; the data is deleted");
        end.await;
    }
    stop.send_replace(true);
    drain(running).await;
    parts.store.close().await;
    Ok(())
}

fn config(arguments: &Arguments, data: &DataDir, sink: SocketAddr) -> anyhow::Result<Config> {
    let (_, pem) = Signer::generate("nordlicht.example", "demo", Algorithm::Rsa)?;
    let key = data.path.join("dkim.pem");
    std::fs::write(&key, pem.as_bytes())?;
    let text = include_str!("demo.toml")
        .replace("{data_dir}", &data.path.join("data").display().to_string())
        .replace("{public_url}", "http://127.0.0.1")
        .replace("{smtp}", &SocketAddr::new(LOOPBACK, arguments.smtp_port).to_string())
        .replace("{http}", &SocketAddr::new(LOOPBACK, arguments.http_port).to_string())
        .replace("{sink_port}", &sink.port().to_string())
        .replace("{password_hash}", &hash_password(PASSWORD.as_bytes(), &random::<16>()))
        .replace("{dkim_key}", &key.display().to_string());
    Config::parse(&text).context("the demo's own configuration")
}

/// A directory that goes when the demo ends.
struct DataDir {
    path: std::path::PathBuf,
}

impl DataDir {
    fn create() -> anyhow::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("consentry-demo-{:016x}", u64::from_be_bytes(random())));
        std::fs::DirBuilder::new().mode(0o700).create(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path })
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("{}: {error}; please delete it", self.path.display());
        }
    }
}
