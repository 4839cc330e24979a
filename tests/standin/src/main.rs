//! A stand-in for Google Vertex AI and for an OpenID Connect provider, for demo and tests.

mod account;
mod answers;
mod app;
mod bearer;
mod catalogue;
mod chat;
mod claude;
mod clock;
mod control;
mod doors;
mod embeddings;
mod flow;
mod framing;
mod gate;
mod google;
mod google_behaviour;
mod google_errors;
mod http1;
mod identity;
mod idp;
mod idp_behaviour;
mod jws;
mod keys;
mod keystore;
mod pem;
mod prompt;
mod recorder;
mod route;
mod rsagen;
mod tls;
mod tokens;
mod tools;
mod wire;

use app::App;
use clap::Parser;
use doors::Door;
use recorder::Port;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Folder for keys, ca.pem, service-account.json and ports.json
    #[arg(long)]
    dir: PathBuf,
    /// Names of the issuers
    #[arg(long, value_delimiter = ',', default_value = "corp,partner")]
    issuers: Vec<String>,
    /// Port of the control API (0: any free one, as for the others)
    #[arg(long, default_value_t = 0)]
    control_port: u16,
    #[arg(long, default_value_t = 0)]
    idp_port: u16,
    #[arg(long, default_value_t = 0)]
    idp_http_port: u16,
    #[arg(long, default_value_t = 0)]
    google_port: u16,
    #[arg(long, default_value_t = 0)]
    google_http_port: u16,
    #[arg(long, default_value_t = 0)]
    metadata_port: u16,
    #[arg(long, default_value_t = 0)]
    oauth2_port: u16,
    #[arg(long, default_value_t = 0)]
    sts_port: u16,
    #[arg(long, default_value_t = 0)]
    iamcredentials_port: u16,
    #[arg(long, default_value_t = 0)]
    machine_port: u16,
    /// Exits by itself after this time, so that a forgotten one does not stay
    #[arg(long, default_value_t = 3600)]
    lifetime_secs: u64,
}

fn main() -> std::process::ExitCode {
    let args = Args::parse();
    let result = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| e.to_string())
        .and_then(|runtime| {
            let result = runtime.block_on(run(&args));
            // Signing under way in the background is of no use to anybody now.
            runtime.shutdown_background();
            result
        });
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standin: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), String> {
    std::fs::create_dir_all(&args.dir).map_err(|e| format!("{}: {e}", args.dir.display()))?;
    let ports_file = args.dir.join("ports.json");
    // Whoever waits for this file must not see that of a former run.
    let _ = std::fs::remove_file(&ports_file);
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let (app, runs) = start(args)?;
    for run in runs {
        tokio::spawn(doors::run(Arc::clone(&app), run));
    }
    write_ports(&ports_file, &app)?;
    println!("standin ready");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = tokio::time::sleep(Duration::from_secs(args.lifetime_secs)) => {}
    }
    let _ = std::fs::remove_file(&ports_file);
    Ok(())
}

fn start(args: &Args) -> Result<(Arc<App>, Vec<doors::Run>), String> {
    let store = keystore::Keystore::open(&args.dir)?;
    let mut issuers = BTreeMap::new();
    for name in &args.issuers {
        // The name becomes part of a path and of a file name.
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if name.is_empty() || !plain {
            return Err(format!("issuer {name:?}: letters, digits, - and _ only"));
        }
        issuers.insert(name.clone(), store.issuer(name)?);
    }
    let mut doors = Vec::new();
    let mut runs = Vec::new();
    for (port, number) in [
        (Port::Control, args.control_port),
        (Port::IdpHttps, args.idp_port),
        (Port::IdpHttp, args.idp_http_port),
        (Port::GoogleHttps, args.google_port),
        (Port::GoogleHttp, args.google_http_port),
        (Port::MetadataHttp, args.metadata_port),
        (Port::Oauth2Https, args.oauth2_port),
        (Port::StsHttps, args.sts_port),
        (Port::IamcredentialsHttps, args.iamcredentials_port),
        (Port::MachineHttp, args.machine_port),
    ] {
        let (door, run) = Door::bind(port, number).map_err(|e| format!("port {number}: {e}"))?;
        doors.push(door);
        runs.push(run);
    }
    let account = account::prepare(&args.dir, &store)?;
    let app = App {
        acceptors: tls::prepare(&args.dir)?,
        store,
        issuers,
        idp_behaviours: idp_behaviour::Behaviours::default(),
        bearers: bearer::Checker::new(account),
        google: RwLock::default(),
        gate: gate::Gate::default(),
        identity: identity::Identity::default(),
        recorder: recorder::Recorder::default(),
        doors,
    };
    Ok((Arc::new(app), runs))
}

fn write_ports(path: &Path, app: &App) -> Result<(), String> {
    let issuers: BTreeMap<&String, String> =
        app.issuers.keys().map(|name| (name, idp::issuer_url(name))).collect();
    let text = json!({
        "control": app.port_of(Port::Control),
        "idp_https": app.port_of(Port::IdpHttps),
        "idp_http": app.port_of(Port::IdpHttp),
        "google_https": app.port_of(Port::GoogleHttps),
        "google_http": app.port_of(Port::GoogleHttp),
        "metadata_http": app.port_of(Port::MetadataHttp),
        "oauth2_https": app.port_of(Port::Oauth2Https),
        "sts_https": app.port_of(Port::StsHttps),
        "iamcredentials_https": app.port_of(Port::IamcredentialsHttps),
        "machine_http": app.port_of(Port::MachineHttp),
        "issuers": issuers,
        "pid": std::process::id(),
    });
    pem::write_public(path, &text.to_string())
}
