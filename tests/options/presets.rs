//! The defaults and the two presets, column by column.

use std::time::Duration;

use engineio::{
    Config, Cookie, HttpCompression, KeepHeaders, Origins, PerMessageDeflate, SameSite, Transports, WsEngine,
};

/// What is the same in all three columns.
fn common(config: &Config) {
    assert_eq!(config.ping_interval, Duration::from_millis(25_000));
    assert_eq!(config.upgrade_timeout, Duration::from_millis(10_000));
    assert_eq!(config.transports, Transports::all());
    assert!(config.allow_upgrades);
    assert_eq!(config.http_compression, Some(polling_from_1024()));
    assert_eq!(config.ws_engine, WsEngine::BuiltIn);
    assert_eq!(config.path, "/engine.io/");
    assert!(config.destroy_upgrade);
    assert_eq!(config.destroy_upgrade_timeout, Duration::from_millis(1000));
    assert_eq!(config.initial_packet, None);
    assert_eq!(config.max_buffered_bytes, 16_000_000);
}

fn polling_from_1024() -> HttpCompression {
    let compression = HttpCompression::default();
    assert_eq!((compression.threshold, compression.level), (1024, 4));
    compression
}

fn messages_from_1024() -> PerMessageDeflate {
    let deflate = PerMessageDeflate::default();
    assert_eq!((deflate.threshold, deflate.level), (1024, 4));
    assert_eq!(deflate.context_takeover, 0);
    deflate
}

fn cookie_io() -> Cookie {
    let cookie = Cookie::named("io");
    assert_eq!((&*cookie.name, cookie.path.as_deref()), ("io", Some("/")));
    assert_eq!((cookie.http_only, cookie.secure), (true, false));
    assert_eq!(cookie.same_site, Some(SameSite::Lax));
    cookie
}

#[test]
fn default_is_the_first_column() {
    let config = Config::default();
    common(&config);
    assert_eq!(config.ping_timeout, Duration::from_secs(60));
    assert_eq!(config.max_http_buffer_size, 1_000_000);
    assert_eq!(config.per_message_deflate, Some(messages_from_1024()));
    assert_eq!(config.cookie, Some(cookie_io()));
    assert!(config.allow_eio3);
    assert_eq!(config.origins, Origins::SameHost);
    assert_eq!(config.keep_headers, KeepHeaders::None);
}

#[test]
fn engine_io_3() {
    let config = Config::engine_io_3();
    common(&config);
    assert_eq!(config.ping_timeout, Duration::from_millis(60_000));
    assert_eq!(config.max_http_buffer_size, 100_000_000);
    assert_eq!(config.per_message_deflate, Some(messages_from_1024()));
    assert_eq!(config.cookie, Some(cookie_io()));
    assert!(config.allow_eio3, "it speaks nothing else");
    assert_eq!(config.keep_headers, KeepHeaders::All);
    assert_eq!(config.origins, Origins::Any, "it checks none");
}

#[test]
fn engine_io_6() {
    let config = Config::engine_io_6();
    common(&config);
    assert_eq!(config.ping_timeout, Duration::from_millis(20_000));
    assert_eq!(config.max_http_buffer_size, 1_000_000);
    assert_eq!(config.per_message_deflate, None);
    assert_eq!(config.cookie, None);
    assert!(!config.allow_eio3);
    assert_eq!(config.origins, Origins::Any, "it checks none");
    assert_eq!(config.keep_headers, KeepHeaders::All);
}

#[actix_web::test]
async fn a_server_has_the_options_it_was_given() {
    let given = Config::engine_io_6();
    let server = engineio::Server::builder().config(given.clone()).start();
    assert_eq!(server.config(), &given);
    assert_eq!(engineio::Server::builder().start().config(), &Config::default());
}
