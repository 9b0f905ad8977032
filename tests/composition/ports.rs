//! One `Server` behind two HTTP servers: a session belongs to the server, not to the port or thread it came by.

use actix_web::App;

use crate::common::{Host, Http, Polling, echo, upgrade};
use crate::host;

fn two_hosts(server: &engineio::Server) -> [Host; 2] {
    let start = || {
        let server = server.clone();
        host!(move || App::new().service(engineio::scope(&server)), 2)
    };
    [start(), start()]
}

#[actix_web::test]
async fn polls_and_posts_alternate_between_ports_and_the_upgrade_takes_the_other() {
    let server = echo(|_| ()).start();
    let hosts = two_hosts(&server);
    let mut sessions = Vec::new();
    // Several, so that each of the threads has some.
    for number in 0..8 {
        let (here, there) = (hosts[number % 2].addr, hosts[1 - number % 2].addr);
        let client = Polling::open(here).await;
        // New connections each time: other threads each time.
        for round in 0..6 {
            let mut post = Http::connect(if round % 2 == 0 { there } else { here }).await;
            let mut poll = Http::connect(if round % 3 == 0 { here } else { there }).await;
            let packet = format!("4{number}-{round}");
            assert_eq!(post.post(client.target(), packet.as_bytes()).await.text(), "ok");
            assert_eq!(poll.get(client.target()).await.text(), packet);
        }
        sessions.push((client, there));
    }
    assert_eq!(server.clients_count(), 8);
    for (client, there) in sessions {
        let mut other = client.at(there).await;
        let ws = other.websocket().await;
        let (mut ws, _) = upgrade(&mut other, ws).await;
        for index in 0..100 {
            ws.text(&format!("4{index}")).await;
        }
        for index in 0..100 {
            assert_eq!(ws.next_text().await, format!("4{index}"));
        }
        assert!(server.client(&client.sid()).unwrap().upgraded());
    }
}

#[actix_web::test]
async fn broadcast_crosses_ports_and_threads() {
    let server = echo(|_| ()).start();
    let hosts = two_hosts(&server);
    let mut clients = Vec::new();
    for number in 0..8 {
        clients.push(Polling::open(hosts[number % 2].addr).await);
    }
    server.broadcast("all");
    for client in &mut clients {
        assert_eq!(client.poll().await, ["4all"]);
    }
}

#[actix_web::test]
async fn one_close_ends_the_sessions_of_both() {
    let server = echo(|_| ()).start();
    let hosts = two_hosts(&server);
    let mut one = Polling::open(hosts[0].addr).await;
    let mut two = Polling::open(hosts[1].addr).await;
    one.send_poll().await;
    two.send_poll().await;
    let ((), one, two) = tokio::join!(
        server.close(crate::common::ms(5000)),
        one.packets(),
        two.packets()
    );
    assert_eq!((one, two), (vec!["1".to_owned()], vec!["1".to_owned()]));
}
