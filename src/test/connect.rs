//! The handshake of a client: what its request would say, and what follows from it as from a request.

use std::future::IntoFuture;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;

use super::client::Client;
use crate::Server;
use crate::actor::{Addresses, Extensions, Handshake, Headers, Target};
use crate::proto::request::parse;
use crate::proto::{Head, Intent, Method, Refusal, Revision, Transport};

/// A client to be: await it to connect. Refused, it yields the [`Refusal`].
#[derive(Debug, Clone)]
#[must_use = "nobody connects unless this is awaited"]
pub struct Connect {
    server: Server,
    transport: Transport,
    revision: Revision,
    query: String,
    headers: Vec<(String, String)>,
    peer_addr: SocketAddr,
    extensions: Extensions,
}

impl Connect {
    pub(super) fn new(server: &Server, transport: Transport) -> Self {
        Connect {
            server: server.clone(),
            transport,
            revision: Revision::V4,
            query: String::new(),
            headers: Vec::new(),
            peer_addr: (Ipv4Addr::LOCALHOST, 1).into(),
            extensions: Extensions::default(),
        }
    }

    /// The revision of the protocol that it speaks. Default: 4.
    pub fn revision(mut self, revision: Revision) -> Self {
        self.revision = revision;
        self
    }

    /// More of the query, encoded as in a URL: `name=alice&room=1`.
    pub fn query(mut self, query: &str) -> Self {
        self.query.push('&');
        self.query.push_str(query);
        self
    }

    /// A header of its request.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// Where it connects from. Default: an address of this machine.
    pub fn peer_addr(mut self, addr: SocketAddr) -> Self {
        self.peer_addr = addr;
        self
    }

    /// A value that [`Accept::with`](crate::Accept::with) would hand to the application, such as the claims of a
    /// token.
    pub fn extension<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    async fn open(self) -> Result<Client, Refusal> {
        let Connect { server, query, .. } = &self;
        let config = server.config();
        let query = format!(
            "EIO={}&transport={}{query}",
            self.revision.number(),
            self.transport
        );
        let head = Head {
            method: Method::Get,
            query: &query,
            upgrade: self.transport == Transport::WebSocket,
            binary_body: false,
        };
        let intent = parse(head, config.transports, config.allow_eio3)?;
        let Intent::Handshake {
            transport,
            revision,
            base64,
            ..
        } = intent
        else {
            return Err(Refusal::UnknownSid);
        };
        let permit = server.admit(Some(self.peer_addr.ip()), transport)?;
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let handshake = Handshake {
            target: Target::new(&config.path, &query),
            headers: Headers::pack(headers),
            addresses: Addresses::new(Some(self.peer_addr), None),
            revision,
            base64,
            transport,
            extensions: self.extensions.clone(),
        };
        let sid = server.generate_id(&handshake).await?;
        let opened = server.open(sid, handshake, false, permit).await;
        Client::new(opened.map_err(|error| error.refusal())?).await
    }
}

impl IntoFuture for Connect {
    type Output = Result<Client, Refusal>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        let server = self.server.clone();
        Box::pin(async move {
            self.open().await.inspect_err(|refusal| {
                server.count_refusal(refusal.code().into(), refusal.context());
            })
        })
    }
}
