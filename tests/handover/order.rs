//! A thread hears first what came first, on whichever connection: a request behind the `5` finds the session on its
//! WebSocket.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engineio::{Server, Socket};

use crate::support::{Polling, WebSocket, patient, start};

/// A handler at which a thread is held up.
#[derive(Clone)]
struct Gate(Arc<Mutex<(Sender<()>, Receiver<()>)>>);

impl Gate {
    fn hold(&self) {
        let gate = self.0.lock().expect("no panic");
        gate.0.send(()).expect("the test waits");
        gate.1.recv_timeout(Duration::from_secs(20)).expect("let go");
    }
}

#[test]
fn a_request_behind_the_upgrade_comes_behind_it() {
    let ((held, is_held), (let_go, is_let_go)) = (channel(), channel());
    let gate = Gate(Arc::new(Mutex::new((held, is_let_go))));
    let running = start(1, move || {
        let hold = move |_: &Socket, _| gate.hold();
        Server::builder().config(patient()).on_message(hold).start()
    });
    let mut holder = WebSocket::open(running.address);
    for _ in 0..20 {
        let mut session = Polling::open(running.address);
        let mut websocket = WebSocket::attempt(&session);
        websocket.send("2probe");
        assert_eq!(websocket.text(), "3probe");

        holder.send("4hold");
        is_held.recv_timeout(Duration::from_secs(20)).expect("it is held");
        websocket.send("5");
        session.send_poll();
        let_go.send(()).expect("it is held");
        let answer = session.gets.response();
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
}
