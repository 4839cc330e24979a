//! Listening sockets that really close and reopen on the same port.

use crate::app::App;
use crate::recorder::{Port, Side, count};
use crate::wire::{Conn, Wire};
use crate::{control, google, identity, idp};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub struct Door {
    pub port: Port,
    pub number: u16,
    wanted: watch::Sender<bool>,
    open: watch::Receiver<bool>,
}

fn bind(number: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Else a port with connections in TIME_WAIT could not be opened again.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, number)))?;
    socket.listen(4096)
}

impl Door {
    /// Binds now; connections are served once [`run`] goes.
    pub fn bind(port: Port, number: u16) -> io::Result<(Self, Run)> {
        let listener = bind(number)?;
        let number = listener.local_addr()?.port();
        let (wanted, wanted_now) = watch::channel(true);
        let (told, open) = watch::channel(true);
        let run = Run { port, number, listener: Some(listener), wanted: wanted_now, told };
        Ok((Self { port, number, wanted, open }, run))
    }

    /// Closes or opens; returns when the socket and all its connections are closed, or open.
    pub async fn set(&self, open: bool) -> Result<(), String> {
        let _ = self.wanted.send(open);
        let mut now = self.open.clone();
        let settled = now.wait_for(|is| *is == open);
        match tokio::time::timeout(Duration::from_secs(10), settled).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(format!("port {} did not follow", self.number)),
        }
    }
}

pub struct Run {
    port: Port,
    number: u16,
    listener: Option<TcpListener>,
    wanted: watch::Receiver<bool>,
    told: watch::Sender<bool>,
}

pub async fn run(app: Arc<App>, mut run: Run) {
    loop {
        if let Some(listener) = run.listener.take() {
            let mut tasks = JoinSet::new();
            let _ = run.told.send(true);
            accept(&app, run.port, &listener, &mut run.wanted, &mut tasks).await;
            drop(listener);
            // An outage ends the connections too; a proxy would go on using idle ones.
            tasks.shutdown().await;
            let _ = run.told.send(false);
        }
        if run.wanted.wait_for(|open| *open).await.is_err() {
            return;
        }
        match bind(run.number) {
            Ok(listener) => run.listener = Some(listener),
            // Something else may hold the port for a moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Until the door is to be closed.
async fn accept(
    app: &Arc<App>,
    port: Port,
    listener: &TcpListener,
    wanted: &mut watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tasks.spawn(connection(Arc::clone(app), port, stream));
                }
                // Out of file descriptors, say: do not spin.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            _ = async { wanted.wait_for(|open| !*open).await.map(drop) } => return,
        }
    }
}

async fn connection(app: Arc<App>, port: Port, stream: TcpStream) {
    // Chunks are to leave when they are written.
    let _ = stream.set_nodelay(true);
    if matches!(port, Port::IdpHttps | Port::IdpHttp) {
        count(&app.recorder.counters.idp_connections);
        if app.idp_behaviours.refuses_connections() {
            return;
        }
    }
    let acceptor = match port {
        Port::GoogleHttps => &app.acceptors.google,
        Port::IdpHttps => &app.acceptors.idp,
        Port::Oauth2Https | Port::StsHttps | Port::IamcredentialsHttps => &app.acceptors.identity,
        _ => return serve(app, port, Conn::new(stream)).await,
    };
    if let Some(stream) = handshake(acceptor, stream).await {
        serve(app, port, Conn::new(stream)).await;
    }
}

async fn handshake(acceptor: &TlsAcceptor, stream: TcpStream) -> Option<impl Wire + use<>> {
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, acceptor.accept(stream)).await.ok()?.ok()
}

async fn serve<S: Wire>(app: Arc<App>, port: Port, conn: Conn<S>) {
    match port.side() {
        Some(Side::Google) => google::serve(app, port, conn).await,
        Some(Side::Idp) => idp::serve(app, port, conn).await,
        Some(Side::Identity(service)) => identity::server::serve(app, port, service, conn).await,
        None => control::serve(app, conn).await,
    }
}
