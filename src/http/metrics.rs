//! The statistics of a server as a page for Prometheus.

use std::fmt;
use std::future::{Ready, ready};

use actix_web::HttpResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::Stats;
use crate::actor::Server;

/// A handler that answers with the statistics of `server`, in the text format of OpenMetrics that Prometheus reads.
/// Who may see them is for the application to say: mount it where the public does not come.
///
/// ```no_run
/// use actix_web::{App, HttpResponse, web};
///
/// # let server: engineio::Server = todo!();
/// let ready = server.clone();
/// App::new()
///     .service(engineio::scope(&server))
///     .route("/metrics", web::get().to(engineio::metrics(&server)))
///     .route("/ready", web::get().to(move || {
///         let ready = ready.is_ready();
///         async move {
///             if ready { HttpResponse::Ok().finish() } else { HttpResponse::ServiceUnavailable().finish() }
///         }
///     }));
/// ```
pub fn metrics(server: &Server) -> impl Fn() -> Ready<HttpResponse> + Clone + 'static {
    let server = server.clone();
    move || ready(page(&server))
}

fn page(server: &Server) -> HttpResponse {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(MetricsCollector::new(server)));
    let mut text = String::new();
    match text::encode(&mut text, &registry) {
        Ok(()) => HttpResponse::Ok()
            .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
            .body(text),
        Err(fmt::Error) => HttpResponse::InternalServerError().finish(),
    }
}

/// The statistics of a server for a registry of your own:
/// `registry.register_collector(Box::new(MetricsCollector::new(&server)))`.
#[derive(Debug, Clone)]
pub struct MetricsCollector(Server);

impl MetricsCollector {
    /// Those of this server.
    pub fn new(server: &Server) -> Self {
        MetricsCollector(server.clone())
    }
}

impl Collector for MetricsCollector {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut page = Page(encoder);
        let stats = self.0.stats();
        page.sessions(&stats)?;
        page.traffic(&stats)?;
        page.round_trips(&stats)?;
        let refused = stats.refused().iter();
        page.counters(
            "engineio_requests_refused",
            "Requests that were refused",
            refused.map(|refused| {
                let labels = [
                    ("code", refused.code.to_string()),
                    ("context", refused.context.to_owned()),
                ];
                (labels, refused.count)
            }),
        )
    }
}

/// Writes families of numbers.
struct Page<'a>(DescriptorEncoder<'a>);

type Labels<const N: usize> = [(&'static str, String); N];

impl Page<'_> {
    fn sessions(&mut self, stats: &Stats) -> fmt::Result {
        let labels = |transport: crate::Transport, revision: crate::Revision| {
            let revision = revision.number().to_string();
            [
                ("transport", transport.as_str().to_owned()),
                ("protocol", revision),
            ]
        };
        let mut family = self.0.encode_descriptor(
            "engineio_sessions",
            "Sessions that are alive",
            None,
            MetricType::Gauge,
        )?;
        for (transport, revision, count) in stats.sessions() {
            family
                .encode_family(&labels(transport, revision))?
                .encode_gauge(&signed(count))?;
        }
        self.counters(
            "engineio_sessions_opened",
            "Sessions that have begun, by their first transport",
            stats
                .opened()
                .map(|(transport, revision, count)| (labels(transport, revision), count)),
        )?;
        self.counters(
            "engineio_sessions_closed",
            "Sessions that have ended",
            stats
                .closes()
                .map(|(reason, count)| ([("reason", reason.as_str().to_owned())], count)),
        )?;
        let upgrades = [
            ("tried", stats.upgrades_tried),
            ("done", stats.upgrades_done),
            ("failed", stats.upgrades_failed),
        ];
        self.counters(
            "engineio_upgrades",
            "Upgrades to WebSocket",
            upgrades
                .into_iter()
                .map(|(result, count)| ([("result", result.to_owned())], count)),
        )
    }

    fn traffic(&mut self, stats: &Stats) -> fmt::Result {
        let directions = |into, out| {
            [("in", into), ("out", out)]
                .into_iter()
                .map(|(direction, count)| ([("direction", direction.to_owned())], count))
        };
        self.counters(
            "engineio_messages",
            "Messages that came in, and that were handed to a transport",
            directions(stats.messages_in, stats.messages_out),
        )?;
        self.counters(
            "engineio_message_bytes",
            "Bytes of those messages",
            directions(stats.bytes_in, stats.bytes_out),
        )?;
        self.0
            .encode_descriptor(
                "engineio_buffered",
                "Bytes that wait in write buffers",
                Some(&Unit::Bytes),
                MetricType::Gauge,
            )?
            .encode_gauge(&signed(stats.buffered_bytes))?;
        self.0
            .encode_descriptor(
                "engineio_sends_refused",
                "Sends for which a write buffer had no room",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, u64, f64>(&stats.sends_refused, None)?;
        self.0
            .encode_descriptor(
                "engineio_sends_dropped",
                "Messages that were dropped from write buffers",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, u64, f64>(&stats.sends_dropped, None)
    }

    fn round_trips(&mut self, stats: &Stats) -> fmt::Result {
        let buckets: Vec<_> = stats.round_trips.buckets().collect();
        self.0
            .encode_descriptor(
                "engineio_round_trip",
                "From a ping to its pong (revision 4)",
                Some(&Unit::Seconds),
                MetricType::Histogram,
            )?
            .encode_histogram::<NoLabelSet>(
                stats.round_trips.sum.as_secs_f64(),
                stats.round_trips.count,
                &buckets,
                None,
            )
    }

    fn counters<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        counts: impl Iterator<Item = (Labels<N>, u64)>,
    ) -> fmt::Result
    where
        Labels<N>: EncodeLabelSet,
    {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in counts {
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
        }
        Ok(())
    }
}

/// Gauges are signed in this format.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
