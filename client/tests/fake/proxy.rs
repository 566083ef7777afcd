//! A wire between a client and a server that can be cut.

use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Everything that goes through breaks off when it is cut; new connections are let through again.
pub struct Proxy {
    pub endpoint: String,
    cuts: watch::Sender<u32>,
}

impl Proxy {
    pub async fn to(endpoint: &str) -> Self {
        let target: SocketAddr =
            endpoint.trim_start_matches("http://").parse().expect("an address");
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let listener = TcpListener::bind(any).await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let cuts = watch::Sender::new(0);
        let cut = cuts.subscribe();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = cut.clone();
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(target).await else {
                        return;
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { endpoint, cuts }
    }

    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}
