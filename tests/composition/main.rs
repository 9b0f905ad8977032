//! `scope()` among other things: inside scopes, behind middleware, beside other servers, on several ports, over
//! TLS and HTTP/2; and the ways in without it.

#![cfg(feature = "server")]

#[path = "../common/mod.rs"]
mod common;

mod doors;
mod logs;
mod middleware;
mod mounting;
mod own;
mod own_http;
#[cfg(feature = "rustls")]
mod own_tls;
mod ports;
mod routes;
mod tls;
