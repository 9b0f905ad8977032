//! What the test server is told when it starts: one JSON object, every field of which may be left out. A field
//! that nobody knows is an error, so that a misspelt option fails its test.

use std::collections::BTreeMap;
use std::time::Duration;

use engineio::{
    Config, Cookie, Data, HttpCompression, Origins, PerMessageDeflate, SameSite, Transport, WsEngine,
};
use serde::Deserialize;

use crate::script::Script;

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct Options {
    pub(crate) config: Settings,
    /// `engineio::listen` instead of an `App` with `scope`.
    pub(crate) listen: bool,
    /// With `listen`: each thread accepts for itself.
    pub(crate) own_listeners: bool,
    pub(crate) port: u16,
    pub(crate) workers: Option<usize>,
    pub(crate) cors: Option<CorsOptions>,
    pub(crate) middlewares: Vec<Step>,
    /// actix's own `DefaultHeaders` with these.
    pub(crate) default_headers: BTreeMap<String, String>,
    /// HTTPS (not with `listen`); what a client needs for it is told by the event `tls`.
    pub(crate) tls: Option<TlsOptions>,
    /// The App has an upgrade of its own, at `/`.
    pub(crate) own_upgrade: bool,
    pub(crate) allow_request: Option<Gate>,
    /// `fixed:ID`, `async:ID`, `prefix:NAME` (before an id of the usual kind) or `error`.
    pub(crate) generate_id: Option<String>,
    /// Events that are told besides connection, message, close and error.
    pub(crate) events: Vec<String>,
    /// Headers that are set on the answers to handshakes.
    pub(crate) initial_headers: BTreeMap<String, OneOrMany>,
    /// Headers that are set on every answer that is no refusal.
    pub(crate) headers: BTreeMap<String, OneOrMany>,
    pub(crate) script: Script,
}

/// `Config`, in engine.io's words. What is left out has the preset's value.
#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct Settings {
    preset: Option<String>,
    ping_interval: Option<u64>,
    ping_timeout: Option<u64>,
    upgrade_timeout: Option<u64>,
    max_http_buffer_size: Option<usize>,
    transports: Option<Vec<String>>,
    allow_upgrades: Option<bool>,
    #[serde(rename = "allowEIO3")]
    allow_eio3: Option<bool>,
    cookie: Option<CookieOptions>,
    path: Option<String>,
    add_trailing_slash: Option<bool>,
    /// `any`, `sameHost`, or a list.
    origins: Option<OneOrMany>,
    initial_packet: Option<String>,
    destroy_upgrade: Option<bool>,
    destroy_upgrade_timeout: Option<u64>,
    keep_headers: Option<Vec<String>>,
    max_sessions: Option<usize>,
    max_sessions_per_ip: Option<usize>,
    max_handshakes_per_second: Option<u32>,
    max_unpolled: Option<usize>,
    /// Networks, as `10.0.0.0/8`.
    trusted_proxies: Vec<String>,
    max_buffered_bytes: Option<usize>,
    /// `false`, `true`, or from how many bytes.
    per_message_deflate: Option<Threshold>,
    http_compression: Option<Threshold>,
    /// `built-in`, or `actix-web-actors` (feature `ws_engine`).
    ws_engine: Option<String>,
    handover: Option<bool>,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum Threshold {
    On(bool),
    Bytes { threshold: usize },
}

impl Threshold {
    fn messages(&self) -> Option<PerMessageDeflate> {
        let mut deflate = PerMessageDeflate::default();
        match self {
            Threshold::On(on) => return on.then_some(deflate),
            Threshold::Bytes { threshold } => deflate.threshold = *threshold,
        }
        Some(deflate)
    }

    fn polling(&self) -> Option<HttpCompression> {
        let mut compression = HttpCompression::default();
        match self {
            Threshold::On(on) => return on.then_some(compression),
            Threshold::Bytes { threshold } => compression.threshold = *threshold,
        }
        Some(compression)
    }
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn list(&self) -> Vec<String> {
        match self {
            OneOrMany::One(one) => vec![one.clone()],
            OneOrMany::Many(many) => many.clone(),
        }
    }
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum CookieOptions {
    Switch(bool),
    Fields(CookieFields),
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CookieFields {
    name: Option<String>,
    /// `false`: none.
    path: Option<serde_json::Value>,
    http_only: Option<bool>,
    same_site: Option<String>,
    secure: Option<bool>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CorsOptions {
    /// `*` for any.
    pub(crate) origin: OneOrMany,
    #[serde(default)]
    pub(crate) credentials: bool,
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) allowed_headers: Option<Vec<String>>,
    pub(crate) exposed_headers: Option<Vec<String>>,
    pub(crate) max_age: Option<usize>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct TlsOptions {
    pub(crate) client_certificates: ClientCertificates,
}

/// Whether the server wants to see a certificate of the client.
#[derive(Deserialize, Clone, Copy, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ClientCertificates {
    /// It does not ask.
    #[default]
    None,
    /// It asks, and lets those in who have none.
    Optional,
    /// Who has none, or one of another authority, does not get in.
    Required,
}

/// A middleware around the whole App: reports that it ran (`name`), sets headers, answers by itself (`end`), fails
/// with a status (`fail`), or gives a cookie of this name to whoever has none (`session`).
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Step {
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) end: Option<u16>,
    pub(crate) fail: Option<u16>,
    pub(crate) session: Option<String>,
}

/// What `allow_request` says.
#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub(crate) enum Gate {
    /// `reject` or `accept`.
    Verdict(String),
    Reject(RejectFields),
}

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct RejectFields {
    pub(crate) message: String,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<u32>,
    pub(crate) headers: BTreeMap<String, String>,
    /// Rejects only requests that have this parameter in their query.
    pub(crate) when_query: Option<String>,
    /// Milliseconds until it says so.
    pub(crate) delay: u64,
}

impl Settings {
    pub(crate) fn config(&self) -> Config {
        let mut config = match self.preset.as_deref() {
            None | Some("default") => Config::default(),
            Some("engine_io_3") => Config::engine_io_3(),
            Some("engine_io_6") => Config::engine_io_6(),
            Some(other) => panic!("no such preset: {other}"),
        };
        set(
            &mut config.ping_interval,
            self.ping_interval.map(Duration::from_millis),
        );
        set(
            &mut config.ping_timeout,
            self.ping_timeout.map(Duration::from_millis),
        );
        set(
            &mut config.upgrade_timeout,
            self.upgrade_timeout.map(Duration::from_millis),
        );
        set(
            &mut config.destroy_upgrade_timeout,
            self.destroy_upgrade_timeout.map(Duration::from_millis),
        );
        set(&mut config.max_http_buffer_size, self.max_http_buffer_size);
        set(&mut config.max_buffered_bytes, self.max_buffered_bytes);
        set(&mut config.allow_upgrades, self.allow_upgrades);
        set(&mut config.allow_eio3, self.allow_eio3);
        set(&mut config.destroy_upgrade, self.destroy_upgrade);
        set(&mut config.path, self.path.clone());
        set(&mut config.add_trailing_slash, self.add_trailing_slash);
        set(
            &mut config.keep_headers,
            self.keep_headers.clone().map(engineio::KeepHeaders::Only),
        );
        set(
            &mut config.cookie,
            self.cookie.as_ref().map(CookieOptions::cookie),
        );
        set(
            &mut config.per_message_deflate,
            self.per_message_deflate.as_ref().map(Threshold::messages),
        );
        set(
            &mut config.http_compression,
            self.http_compression.as_ref().map(Threshold::polling),
        );
        set(
            &mut config.transports,
            self.transports
                .as_ref()
                .map(|names| names.iter().map(|name| transport(name)).collect()),
        );
        set(&mut config.handover, self.handover);
        set(&mut config.ws_engine, self.ws_engine.as_deref().map(ws_engine));
        set(&mut config.origins, self.origins.as_ref().map(origins));
        config.limits.max_sessions = self.max_sessions;
        config.limits.max_sessions_per_ip = self.max_sessions_per_ip;
        config.limits.max_handshakes_per_second = self.max_handshakes_per_second;
        config.limits.max_unpolled = self.max_unpolled;
        let networks = self.trusted_proxies.iter();
        config.trusted_proxies = networks.map(|text| text.parse().expect("a network")).collect();
        config.initial_packet = self.initial_packet.clone().map(Data::from);
        config
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn transport(name: &str) -> Transport {
    Transport::from_name(name).unwrap_or_else(|| panic!("no such transport: {name}"))
}

fn ws_engine(name: &str) -> WsEngine {
    match name {
        "built-in" => WsEngine::BuiltIn,
        #[cfg(feature = "ws_engine")]
        "actix-web-actors" => WsEngine::ActixWebActors,
        _ => panic!("no such WebSocket engine in this build: {name}"),
    }
}

fn origins(origins: &OneOrMany) -> Origins {
    match origins {
        OneOrMany::One(one) if one == "any" => Origins::Any,
        OneOrMany::One(one) if one == "sameHost" => Origins::SameHost,
        other => Origins::List(other.list()),
    }
}

impl CookieOptions {
    fn cookie(&self) -> Option<Cookie> {
        let mut cookie = Cookie::named("io");
        let fields = match self {
            CookieOptions::Switch(on) => return on.then_some(cookie),
            CookieOptions::Fields(fields) => fields,
        };
        set(&mut cookie.name, fields.name.clone());
        if let Some(path) = &fields.path {
            cookie.path = path.as_str().map(str::to_owned);
        }
        set(&mut cookie.http_only, fields.http_only);
        set(&mut cookie.secure, fields.secure);
        if let Some(name) = &fields.same_site {
            cookie.same_site = match name.to_ascii_lowercase().as_str() {
                "strict" => Some(SameSite::Strict),
                "lax" => Some(SameSite::Lax),
                "none" => Some(SameSite::None),
                other => panic!("no such SameSite: {other}"),
            };
        }
        Some(cookie)
    }
}
