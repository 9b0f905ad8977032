//! Clients that do not read and applications that do not keep up: 50 MB are offered each time, memory stays within its
//! bound, and what was promised comes true. All memory of this process is counted, that of the clients here included.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Barrier, Mutex};

use actix::prelude::*;
use common::{Frame, Host, Polling, WebSocket, config, ms, serve, until, within};
use engineio::{
    CloseReason, Config, Event, Events, FullPolicy, PacketType, Room, Send, SendError, Server, Socket,
};

/// How many bytes a message has, and how many messages make 50 MB.
const SIZE: usize = 10_000;
const COUNT: usize = 5_000;

/// The bound of the write buffer in these tests.
const BUFFER: usize = 1_000_000;

/// What a test may take beside the buffer: queues of the WebSocket's and of actix's, and what the clients here hold.
const SLACK: i64 = 2_000_000;

const WS: &str = "/engine.io/?EIO=4&transport=websocket";

/// The system's allocator, with a count of what is in use.
struct Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

fn count(bytes: i64) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
}

#[expect(
    unsafe_code,
    reason = "an allocator cannot be written without; each call goes on as it came"
)]
// SAFETY: all calls are handed on to `System` with the caller's arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tests run one after the other, since they measure the memory of them all.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// How much more is in use at most than when it was made.
struct Memory(i64);

impl Memory {
    fn now() -> Self {
        let live = LIVE.load(Relaxed);
        PEAK.store(live, Relaxed);
        Memory(live)
    }

    fn assert_within(&self, what: &str, bound: usize) {
        let peak = PEAK.load(Relaxed) - self.0;
        println!("{what}: {} kB of {} kB", peak / 1000, bound / 1000);
        assert!(peak <= bound as i64 + SLACK, "{what}: {peak} bytes");
    }
}

fn message(number: usize) -> String {
    format!("{number:0SIZE$}")
}

fn number(message: &str) -> usize {
    message.trim_start_matches('0').parse().unwrap_or(0)
}

/// A client that does not read until it is asked to.
enum Client {
    Polling(Box<Polling>, Vec<String>),
    WebSocket(WebSocket),
}

/// How a client comes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum By {
    Polling,
    /// A WebSocket with a connection of its own.
    Wire,
    /// A WebSocket that passes through actix's dispatcher.
    Link,
}

impl Client {
    async fn connect(host: &Host, by: By) -> Self {
        match by {
            By::Polling => Client::Polling(Box::new(Polling::open(host.addr).await), Vec::new()),
            By::Wire | By::Link => {
                let mut ws = WebSocket::connect(host.addr, WS, &[]).await.expect("a WebSocket");
                ws.next_text().await;
                Client::WebSocket(ws)
            }
        }
    }

    /// The next message.
    async fn next(&mut self) -> usize {
        let packet = match self {
            Client::WebSocket(ws) => ws.next_text().await,
            Client::Polling(polling, packets) => {
                while packets.is_empty() {
                    *packets = polling.poll().await;
                    packets.reverse();
                }
                packets.pop().expect("a packet")
            }
        };
        number(packet.strip_prefix('4').expect("a message"))
    }

    /// All messages up to one that is sent behind them.
    async fn read_to(&mut self, last: usize) -> Vec<usize> {
        let mut numbers = vec![self.next().await];
        while numbers.last() != Some(&last) {
            numbers.push(self.next().await);
        }
        numbers
    }
}

/// A server, a client that does not read and another one that does.
struct Stuck {
    server: Server,
    host: Host,
    socket: Socket,
    client: Client,
    other: WebSocket,
    closes: Arc<Mutex<Vec<CloseReason>>>,
}

async fn stuck(by: By, change: impl FnOnce(&mut Config)) -> Stuck {
    let closes = Arc::new(Mutex::new(Vec::new()));
    let told = closes.clone();
    let config = config(|config| {
        config.max_buffered_bytes = BUFFER;
        config.handover = by == By::Wire;
        change(config);
    });
    let builder = Server::builder().config(config).on_message(|socket, data| {
        let _ = socket.try_send(data);
    });
    let server = builder
        .on_close(move |_, close| told.lock().expect("no panic").push(close.reason))
        .start();
    let host = serve(&server);
    let client = Client::connect(&host, by).await;
    let socket = server.clients().remove(0);
    let mut other = WebSocket::connect(host.addr, WS, &[]).await.expect("a WebSocket");
    other.next_text().await;
    Stuck {
        server,
        host,
        socket,
        client,
        other,
        closes,
    }
}

impl Stuck {
    /// The other session goes on.
    async fn assert_goes_on(&mut self) {
        self.other.text("4still here").await;
        assert_eq!(self.other.next_text().await, "4still here");
    }

    /// Offers 50 MB as fast as it can; tells what became of each message.
    async fn offer(&mut self, send: impl Fn(usize) -> Send) -> Vec<Result<(), SendError>> {
        let mut results = Vec::new();
        for number in 1..=COUNT {
            results.push(self.socket.try_send_message(send(number)));
            if number % 500 == 0 {
                self.assert_goes_on().await;
            }
        }
        results
    }
}

/// Room comes once the socket's thread has come to what lies in its mailbox.
async fn insist(socket: &Socket, send: Send) {
    until(|| socket.try_send_message(send.clone()).is_ok()).await;
}

const ALL: [By; 3] = [By::Polling, By::Wire, By::Link];

#[actix_web::test]
async fn what_is_refused_is_told_and_all_else_arrives() {
    let _alone = ALONE.lock().await;
    for by in ALL {
        let mut stuck = stuck(by, |_| ()).await;
        let memory = Memory::now();
        let results = stuck.offer(|number| message(number).into()).await;
        memory.assert_within(&format!("refuse, {by:?}"), BUFFER);
        let refused = results.iter().filter(|result| result.is_err()).count();
        assert!(refused > 0);
        assert!(
            results
                .iter()
                .flat_map(|result| result.err())
                .all(|error| error == SendError::Full)
        );
        assert_eq!(stuck.server.stats().sends_refused, refused as u64);
        let taken = (1..).zip(&results).filter(|(_, result)| result.is_ok());
        let taken: Vec<usize> = taken.map(|(number, _)| number).collect();
        let last = *taken.last().expect("some");
        assert_eq!(stuck.client.read_to(last).await, taken);
    }
}

#[actix_web::test]
async fn the_oldest_are_dropped_and_the_newest_arrive_in_order() {
    let _alone = ALONE.lock().await;
    for by in ALL {
        let mut stuck = stuck(by, |config| config.full_policy = FullPolicy::DropOldest).await;
        let memory = Memory::now();
        let mut taken = 0;
        for number in 1..=COUNT {
            insist(&stuck.socket, message(number).into()).await;
            taken += 1;
            if number % 500 == 0 {
                stuck.assert_goes_on().await;
            }
        }
        // As much again may lie in the mailbox.
        memory.assert_within(&format!("drop oldest, {by:?}"), 2 * BUFFER);
        let arrived = stuck.client.read_to(COUNT).await;
        assert!(arrived.is_sorted_by(|a, b| a < b));
        let dropped = stuck.server.stats().sends_dropped;
        assert!(dropped > 0);
        assert_eq!(arrived.len() as u64 + dropped, taken);
        let newest = BUFFER / (SIZE + 64);
        let tail: Vec<_> = (COUNT + 1 - newest..=COUNT).collect();
        assert!(arrived.ends_with(&tail), "{arrived:?}");
        until(|| stuck.socket.buffered_bytes() == 0).await;
    }
}

#[actix_web::test]
async fn of_each_key_the_newest_arrives() {
    let _alone = ALONE.lock().await;
    const KEYS: usize = 10;
    for by in ALL {
        let mut stuck = stuck(by, |_| ()).await;
        stuck.socket.set_full_policy(FullPolicy::NewestWins);
        let memory = Memory::now();
        for number in 1..=COUNT {
            let send = Send::text(message(number)).volatile((number % KEYS) as u64);
            insist(&stuck.socket, send).await;
            if number % 500 == 0 {
                stuck.assert_goes_on().await;
            }
        }
        memory.assert_within(&format!("newest wins, {by:?}"), 2 * BUFFER);
        insist(&stuck.socket, message(COUNT + 1).into()).await;
        let mut arrived = stuck.client.read_to(COUNT + 1).await;
        assert_eq!(arrived.pop(), Some(COUNT + 1));
        for key in 0..KEYS {
            let newest = arrived.iter().rfind(|number| **number % KEYS == key);
            let sent = (1..=COUNT).rfind(|number| number % KEYS == key);
            assert_eq!(newest.copied(), sent, "key {key}");
        }
        assert_eq!(
            (arrived.len()) as u64 + stuck.server.stats().sends_dropped,
            COUNT as u64
        );
        until(|| stuck.socket.buffered_bytes() == 0).await;
    }
}

#[actix_web::test]
async fn a_slow_consumer_is_closed_with_its_reason() {
    let _alone = ALONE.lock().await;
    for by in ALL {
        let mut stuck = stuck(by, |config| config.full_policy = FullPolicy::Close).await;
        let memory = Memory::now();
        let results = stuck.offer(|number| message(number).into()).await;
        memory.assert_within(&format!("close, {by:?}"), BUFFER);
        let taken = results.iter().take_while(|result| result.is_ok()).count();
        assert!(taken > 0);
        assert!(
            results[taken..]
                .iter()
                .all(|result| *result == Err(SendError::Closed))
        );
        until(|| *stuck.closes.lock().expect("no panic") == [CloseReason::SlowConsumer]).await;
        if let Client::WebSocket(ws) = &mut stuck.client {
            let last = loop {
                match ws.next().await {
                    Frame::Text(_) => {}
                    other => break other,
                }
            };
            assert_eq!(last, Frame::Close(1008, "slow consumer".into()));
        }
        stuck.assert_goes_on().await;
    }
}

#[actix_web::test]
async fn a_volatile_broadcast_keeps_the_newest_for_who_is_behind() {
    let _alone = ALONE.lock().await;
    for by in ALL {
        let mut stuck = stuck(by, |_| ()).await;
        let memory = Memory::now();
        for number in 1..=COUNT {
            let send = Send::text(message(number)).volatile(1);
            stuck.server.broadcast(send);
            // Who reads gets them one by one.
            assert_eq!(number, crate::number(&stuck.other.next_text().await[1..]));
        }
        memory.assert_within(&format!("volatile broadcast, {by:?}"), 0);
        assert!(stuck.client.read_to(COUNT).await.is_sorted_by(|a, b| a < b));
        assert_eq!(stuck.server.stats().sends_refused, 0);
        drop(stuck.host);
    }
}

#[actix_web::test]
async fn a_send_waits_for_room_and_nothing_is_lost() {
    let _alone = ALONE.lock().await;
    for by in ALL {
        let mut stuck = stuck(by, |_| ()).await;
        let memory = Memory::now();
        // Two who wait in the same line.
        for parity in [1, 0] {
            let socket = stuck.socket.clone();
            actix_rt::spawn(async move {
                for number in (1..=COUNT).filter(|number| number % 2 == parity) {
                    socket.send(message(number)).await.expect("room, some time");
                }
            });
        }
        until(|| stuck.socket.buffered_bytes() > BUFFER - 2 * SIZE).await;
        stuck.assert_goes_on().await;
        memory.assert_within(&format!("send waits, {by:?}"), BUFFER);
        let mut last = [0, 0];
        for _ in 0..COUNT {
            let number = stuck.client.next().await;
            let before = &mut last[number % 2];
            assert!(number > *before, "{number} after {before}");
            *before = number;
        }
        assert_eq!(last, [COUNT, COUNT - 1]);
        // A poll takes the whole buffer along, of which there are some copies on its way, the client's included.
        memory.assert_within(&format!("send waited, {by:?}"), 5 * BUFFER);
        let all = Send::text("x".repeat(BUFFER));
        assert_eq!(stuck.socket.send(all).await, Err(SendError::TooLarge));
    }
}

#[actix_web::test]
async fn a_send_that_waits_is_told_of_the_end() {
    let _alone = ALONE.lock().await;
    for by in ALL {
        let stuck = stuck(by, |_| ()).await;
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let socket = stuck.socket.clone();
            waiting.push(actix_rt::spawn(async move {
                loop {
                    if let Err(error) = socket.send(message(1)).await {
                        return error;
                    }
                }
            }));
        }
        until(|| stuck.socket.buffered_bytes() > BUFFER - 2 * SIZE).await;
        stuck.socket.discard();
        for send in waiting {
            assert_eq!(within(send).await.expect("no panic"), SendError::Closed);
        }
    }
}

#[actix_web::test]
async fn who_awaits_that_a_dropped_message_is_flushed_is_told() {
    let _alone = ALONE.lock().await;
    let stuck = stuck(By::Polling, |config| config.full_policy = FullPolicy::DropOldest).await;
    let first = stuck.socket.addr().send(Send::text(message(1)));
    let volatile = |number| stuck.socket.addr().send(Send::text(message(number)).volatile(1));
    let (second, third) = (volatile(2), volatile(3));
    assert_eq!(within(second).await, Ok(Err(SendError::Dropped)));
    for number in 4..4 + BUFFER / SIZE {
        insist(&stuck.socket, message(number).into()).await;
    }
    assert_eq!(within(first).await, Ok(Err(SendError::Dropped)));
    assert_eq!(within(third).await, Ok(Err(SendError::Dropped)));
}

#[actix_web::test]
async fn what_may_be_dropped_ends_no_session() {
    let _alone = ALONE.lock().await;
    let mut stuck = stuck(By::Polling, |config| config.full_policy = FullPolicy::NewestWins).await;
    while stuck.socket.try_send(message(1)).is_ok() {}
    let addr = stuck.socket.addr();
    addr.do_send(Send::text(message(2)).volatile(1));
    let volatile = addr.send(Send::text(message(3)).volatile(2));
    assert_eq!(within(volatile).await, Ok(Err(SendError::Dropped)));
    stuck.socket.set_full_policy(FullPolicy::DropOldest);
    addr.do_send(Send::text(message(4)));
    stuck.server.broadcast(message(5));
    addr.do_send(Send::text(message(6)));
    assert!(stuck.client.read_to(6).await.ends_with(&[4, 5, 6]));
}

#[actix_web::test]
async fn a_newer_one_of_its_key_needs_no_room_beside_it() {
    let _alone = ALONE.lock().await;
    for policy in [FullPolicy::Refuse, FullPolicy::Close] {
        let mut stuck = stuck(By::Polling, |config| config.full_policy = policy).await;
        const LARGE: usize = BUFFER / 2 + SIZE;
        for number in 1..=5 {
            let large = Send::text(format!("{}{number}", "0".repeat(LARGE))).volatile(1);
            insist(&stuck.socket, large).await;
        }
        assert_eq!(stuck.client.read_to(5).await, [5], "{policy:?}");
        assert_eq!(*stuck.closes.lock().expect("no panic"), [], "{policy:?}");
    }
}

#[actix_web::test]
async fn what_one_turn_sends_to_many_has_as_much_room_as_they_have() {
    let _alone = ALONE.lock().await;
    const GUESTS: usize = 4;
    let each = BUFFER / (SIZE + 64);
    // A room for each, filled by one handler's turn: none of it is handed out meanwhile.
    let rooms: Vec<_> = (0..GUESTS).map(|_| Room::new()).collect();
    let (entered, filled) = (Mutex::new(rooms.clone().into_iter()), rooms);
    let builder = Server::builder()
        .config(config(|config| config.max_buffered_bytes = BUFFER))
        .on_connection(move |socket, _| {
            let room = entered.lock().expect("no panic").next().expect("a room");
            room.join(socket);
        })
        .on_message(move |socket, data| match data.as_text() {
            Some("fill") => (1..=each).for_each(|number| {
                for room in &filled {
                    room.broadcast(message(number));
                }
            }),
            _ => (1..=2 * GUESTS * each).for_each(|number| socket.server().broadcast(message(number))),
        });
    let server = builder.start();
    let host = serve(&server);
    let mut guests = Vec::new();
    for _ in 0..GUESTS {
        let mut guest = WebSocket::connect(host.addr, WS, &[]).await.expect("a WebSocket");
        guest.next_text().await;
        guests.push(guest);
    }
    guests[0].text("4fill").await;
    for guest in &mut guests {
        for expected in 1..=each {
            assert_eq!(number(&guest.next_text().await[1..]), expected);
        }
    }
    assert_eq!(server.stats().sends_refused, 0);

    // What has no room is counted, for each who does not get it.
    guests[0].text("4flood").await;
    let (offered, held) = (2 * GUESTS * each, GUESTS * BUFFER / (SIZE + 64));
    until(|| server.stats().sends_refused >= (GUESTS * (offered - held)) as u64).await;
    for socket in server.clients() {
        actix_rt::spawn(async move { socket.send(message(offered + 1)).await });
    }
    let mut arrived = 0;
    for mut client in guests.into_iter().map(Client::WebSocket) {
        let numbers = client.read_to(offered + 1).await;
        arrived += numbers.len() - 1;
        assert!(numbers.is_sorted_by(|a, b| a < b));
    }
    let refused = server.stats().sends_refused as usize;
    assert_eq!(arrived + refused, GUESTS * offered);
}

/// An application that is stuck until its gate is opened.
struct Lagging {
    gate: Option<Arc<Barrier>>,
    numbers: Arc<Mutex<Vec<usize>>>,
    handled: Arc<AtomicU64>,
}

impl Actor for Lagging {
    type Context = Context<Self>;
}

impl Handler<Event> for Lagging {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        let messages = match event {
            Event::Message { data, .. } => vec![data],
            Event::Batch { messages, .. } => messages,
            Event::Packet { packet, .. } if packet.kind == PacketType::Message => vec![packet.data],
            _ => vec![],
        };
        for data in messages {
            if let Some(gate) = self.gate.take() {
                gate.wait();
            }
            let number = number(data.as_text().expect("text"));
            self.numbers.lock().expect("no panic").push(number);
            self.handled.fetch_add(1, Relaxed);
        }
    }
}

#[actix_web::test]
async fn nothing_more_is_read_while_the_application_lags_and_nothing_is_lost() {
    lag(Events::MESSAGE).await;
}

#[actix_web::test]
async fn nothing_more_is_read_while_an_application_that_takes_batches_lags() {
    lag(Events::BATCH).await;
}

/// The other way to see what comes in.
#[actix_web::test]
async fn nothing_more_is_read_while_an_application_that_watches_packets_lags() {
    lag(Events::PACKET).await;
}

async fn lag(events: Events) {
    let _alone = ALONE.lock().await;
    for by in ALL {
        let gate = Arc::new(Barrier::new(2));
        let (numbers, handled) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
        let lagging = Lagging {
            gate: Some(gate.clone()),
            numbers: numbers.clone(),
            handled: handled.clone(),
        };
        let arbiter = Arbiter::new();
        let hub = Actor::start_in_arbiter(&arbiter.handle(), |_| lagging);
        let config = config(|config| config.handover = by == By::Wire);
        let bound = config.max_unhandled_bytes;
        let server = Server::builder()
            .config(config)
            .hub_with(events, hub.recipient())
            .start();
        let host = serve(&server);
        let client = Client::connect(&host, by).await;
        let socket = server.clients().remove(0);

        let memory = Memory::now();
        let batch = 10;
        actix_rt::spawn(async move {
            match client {
                Client::Polling(polling, _) => post_all(polling, batch).await,
                Client::WebSocket(mut ws) => {
                    for number in 1..=COUNT {
                        let packet = format!("4{}", message(number));
                        ws.text(&packet).await;
                    }
                    // Held until the server has read it all.
                    ws.next().await;
                }
            }
        });
        until(|| socket.stats().bytes_in > bound as u64).await;
        // Nothing tells that nothing happens: were more read, it would be by now.
        actix_rt::time::sleep(ms(300)).await;
        let read = socket.stats().bytes_in as usize;
        println!("lagging, {by:?}: {} kB read", read / 1000);
        assert!(read <= bound + batch * SIZE + 2 * 64 * 1024, "{read} bytes");
        memory.assert_within(&format!("lagging, {by:?}"), bound);
        gate.wait();
        for some in (0..=COUNT as u64).step_by(100) {
            until(|| handled.load(Relaxed) >= some).await;
        }
        assert!(numbers.lock().expect("no panic").iter().copied().eq(1..=COUNT));
        memory.assert_within(&format!("caught up, {by:?}"), bound);
        assert_eq!(socket.stats().bytes_in as usize, COUNT * SIZE);
        arbiter.stop();
    }
}

/// Posts all messages, so many at once.
async fn post_all(mut polling: Box<Polling>, batch: usize) {
    let numbers: Vec<_> = (1..=COUNT).collect();
    for numbers in numbers.chunks(batch) {
        let packets: Vec<_> = numbers
            .iter()
            .map(|number| format!("4{}", message(*number)))
            .collect();
        let packets: Vec<_> = packets.iter().map(String::as_str).collect();
        polling.push(&packets).await;
    }
}

/// An application that is done with a message when its answer has left.
struct Faithful;

impl Actor for Faithful {
    type Context = Context<Self>;
}

impl Handler<Event> for Faithful {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, event: Event, _: &mut Self::Context) -> ResponseFuture<()> {
        let Event::Message {
            socket, data, credit, ..
        } = event
        else {
            return Box::pin(async {});
        };
        Box::pin(async move {
            let _ = socket.addr().send(Send::new(data)).await;
            drop(credit);
        })
    }
}

/// A server whose application is on another thread and lags from the first message on.
fn faithful(by: By) -> (Server, Host, Arbiter) {
    let arbiter = Arbiter::new();
    let hub = Actor::start_in_arbiter(&arbiter.handle(), |_| Faithful);
    let config = config(|config| {
        config.max_unhandled_bytes = SIZE / 2;
        if by == By::Polling {
            (config.ping_interval, config.ping_timeout) = (ms(200), ms(200));
        }
        config.handover = by == By::Wire;
    });
    let server = Server::builder().config(config).hub(hub.recipient()).start();
    let host = serve(&server);
    (server, host, arbiter)
}

#[actix_web::test]
async fn answers_that_have_left_let_the_next_messages_in() {
    let _alone = ALONE.lock().await;
    for by in [By::Wire, By::Link] {
        let (server, host, arbiter) = faithful(by);
        let mut ws = WebSocket::connect(host.addr, WS, &[]).await.expect("a WebSocket");
        ws.next_text().await;
        for number in 1..=20 {
            within(ws.text(&format!("4{}", message(number)))).await;
        }
        for expected in 1..=20 {
            assert_eq!(number(&ws.next_text().await[1..]), expected, "{by:?}");
        }
        drop(ws);
        until(|| server.clients_count() == 0).await;
        arbiter.stop();
    }
}

#[actix_web::test]
async fn who_has_left_is_not_waited_for() {
    let _alone = ALONE.lock().await;
    for by in [By::Wire, By::Link] {
        let (server, host, arbiter) = faithful(by);
        for _ in 0..20 {
            let mut ws = WebSocket::connect(host.addr, WS, &[]).await.expect("a WebSocket");
            ws.next_text().await;
            ws.text(&format!("4{}", message(1))).await;
            ws.text(&format!("4{}", message(2))).await;
        }
        until(|| server.clients_count() == 0).await;
        arbiter.stop();
    }
}

#[actix_web::test]
async fn who_posts_and_does_not_poll_is_not_waited_for() {
    let _alone = ALONE.lock().await;
    let (server, host, arbiter) = faithful(By::Polling);
    let mut polling = Polling::open(host.addr).await;
    polling.push(&[&format!("4{}", message(1))]).await;
    let (held, left) = (polling.target().to_owned(), message(2));
    let mut post = common::Http::connect(host.addr).await;
    post.send("POST", &held, &[], Some(format!("4{left}").as_bytes()))
        .await;
    until(|| server.clients_count() == 0).await;
    arbiter.stop();
}
