//! Requests with `Connection: upgrade` that upgrade to nothing.

use std::time::Duration;

use super::{EMPTY, GET, LAST, WAIT, bodies, connect, post};

/// As some proxies send whatever is no WebSocket.
fn upgrade_to_nothing(request: &[u8]) -> Vec<u8> {
    let request = std::str::from_utf8(request).unwrap();
    request
        .replacen("\r\n\r\n", "\r\nConnection: upgrade\r\n\r\n", 1)
        .into_bytes()
}

quick!(an_upgrade_to_nothing_leaves_the_connection_as_it_is, async {
    let head = b"HEAD /a HTTP/1.1\r\nhost: x\r\n\r\n".as_slice();
    let chunks = b"POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let requests = [GET, &post("/b", b"four"), chunks, EMPTY, head].map(upgrade_to_nothing);
    let client = connect(&[&requests.concat(), LAST].concat()).await;
    let answers = client.rest().await;
    let expected = ["GET /a 0", "POST /b 4", "POST /c 3", "", "", "GET /last 0"];
    assert_eq!(bodies(&answers), expected);
    assert!(!answers.contains("upgrade"), "{answers}");
    assert_eq!(answers.matches("connection:").count(), 1, "{answers}");
});

quick!(an_upgrade_that_the_app_leaves_alone_is_one_to_nothing, async {
    let request = b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n".as_slice();
    let answers = connect(&[request, LAST].concat()).await.rest().await;
    assert_eq!(bodies(&answers), ["GET /a 0", "GET /last 0"]);
});

quick!(an_app_may_say_what_it_would_upgrade_to, async {
    let request = b"GET /offer HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\r\n".as_slice();
    let answers = connect(&[request, LAST].concat()).await.rest().await;
    let (offer, last) = answers.split_once("\r\n\r\n").unwrap();
    assert!(offer.starts_with("HTTP/1.1 426"), "{offer}");
    assert!(offer.contains("connection: upgrade"), "{offer}");
    assert!(last.ends_with("GET /last 0"), "{last}");
});

quick!(
    an_upgrade_to_nothing_ends_with_its_answer_if_it_would_anyway,
    async {
        let unread = b"POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n".as_slice();
        let answers = connect(&upgrade_to_nothing(unread)).await.rest().await;
        assert!(answers.contains("connection: close"), "{answers}");

        let old = upgrade_to_nothing(b"GET /a HTTP/1.0\r\nhost: x\r\n\r\n");
        let answers = connect(&[&old, GET].concat()).await.rest().await;
        assert_eq!(bodies(&answers), ["GET /a 0"]);

        let busy = connect(&[&upgrade_to_nothing(WAIT), GET].concat()).await;
        busy.seen.asked.notified().await;
        (busy.stop)();
        busy.seen.go_on.notify_one();
        let answers = busy.rest().await;
        assert!(answers.contains("connection: close"), "{answers}");
        assert_eq!(bodies(&answers), ["waited"]);
    }
);
