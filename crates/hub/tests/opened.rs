//! What JavaScript is told of a connection that has opened.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use hyco_client::{
    Stream, Tcp, Upgraded,
    connection::{Connection, ConnectionOptions},
};
use hyco_hub::{Handle, HubInbox, Queue, Wake, kind};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Default)]
struct JavaScript(AtomicUsize);

impl Wake for JavaScript {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_connection_comes_with_its_event_once_and_wakes_javascript() {
    let (inbox, javascript) = (HubInbox::new(), Arc::new(JavaScript::default()));
    inbox
        .turns
        .set_javascript(Arc::clone(&javascript) as Arc<dyn Wake>);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let own = TcpStream::connect(address).await.expect("a connection");
    let stream = Stream::Plain(Tcp::adopt(own).expect("a socket"));
    let (connection, _driver) = Connection::new(
        7,
        Upgraded::from(stream),
        ConnectionOptions::default(),
        Arc::clone(&inbox),
        Arc::clone(&inbox.buffers),
    );
    let handle = Handle {
        number: 7,
        generation: 3,
    };
    inbox.opened(handle, Arc::clone(&connection), "open".to_owned());
    assert_eq!(javascript.0.load(Ordering::Relaxed), 1);
    let mut queue = inbox.take(Queue::default());
    let [(opened, told)] = &queue.opened[..] else {
        panic!("{} connections", queue.opened.len());
    };
    assert!(*opened == handle && Arc::ptr_eq(told, &connection));
    assert_eq!(queue.events, ["open"]);
    let [record] = &queue.records[..] else {
        panic!("{} records", queue.records.len());
    };
    assert_eq!((record.connection, record.kind()), (7, kind::EVENT));
    // Nothing of it is there when the memory is used again.
    queue.recycle();
    assert!(queue.opened.is_empty() && queue.events.is_empty());
    assert!(inbox.take(queue).opened.is_empty());
}
