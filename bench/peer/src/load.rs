//! The sender of HTTP requests: kept connections, on each one request after the other.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::Instant,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Load {
    /// `127.0.0.1:PORT`.
    pub host: String,
    /// Path and query.
    pub target: String,
    /// The length of each body; zero makes a GET.
    pub size: usize,
    /// How many requests, over all connections.
    pub count: u64,
    /// How many connections.
    pub connections: u64,
}

impl Load {
    /// Sends all requests and reads their answers; gives the sorted times in nanoseconds.
    pub async fn run(self) -> io::Result<Vec<u32>> {
        let left = Rc::new(Cell::new(self.count));
        let times = Rc::new(RefCell::new(Vec::with_capacity(self.count as usize)));
        let mut tasks = JoinSet::new();
        for _ in 0..self.connections.min(self.count) {
            let (load, left, times) = (self.clone(), Rc::clone(&left), Rc::clone(&times));
            tasks.spawn_local(async move {
                let mut stream = load.connect().await?;
                let request = load.request();
                while left.get() > 0 {
                    left.set(left.get() - 1);
                    let started = Instant::now();
                    stream.write_all(&request).await?;
                    read_answer(&mut stream).await?;
                    times
                        .borrow_mut()
                        .push(started.elapsed().as_nanos() as u32);
                }
                io::Result::Ok(())
            });
        }
        tasks.join_all().await.into_iter().collect::<io::Result<()>>()?;
        let mut times = times.take();
        times.sort_unstable();
        Ok(times)
    }

    /// Opens as many answers as there are connections and reads only their heads; gives the streams.
    pub async fn open(self) -> io::Result<Vec<TcpStream>> {
        let mut streams = Vec::new();
        for _ in 0..self.connections {
            let mut stream = self.connect().await?;
            stream.write_all(&self.request()).await?;
            Answer::default().read_head(&mut stream).await?;
            streams.push(stream);
        }
        Ok(streams)
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.host).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn request(&self) -> Vec<u8> {
        let (host, target) = (&self.host, &self.target);
        if self.size == 0 {
            return format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\n\r\n")
                .into_bytes();
        }
        let mut request = format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.size
        )
        .into_bytes();
        // A JSON text of that length.
        request.push(b'"');
        request.resize(request.len() + self.size - 2, b'x');
        request.push(b'"');
        request
    }
}

/// An answer that is being read.
#[derive(Default)]
struct Answer {
    bytes: Vec<u8>,
}

/// How a body ends.
enum Body {
    Length(usize),
    Chunked,
}

async fn read_answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut answer = Answer::default();
    match answer.read_head(stream).await? {
        Body::Length(length) => {
            let mut left = length.saturating_sub(answer.bytes.len());
            while left > 0 {
                answer.bytes.clear();
                left = left.saturating_sub(answer.fill(stream).await?);
            }
            Ok(())
        }
        Body::Chunked => loop {
            let line = answer.line(stream).await?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            let mut left = size + 2;
            while left > answer.bytes.len() {
                left -= answer.bytes.len();
                answer.bytes.clear();
                answer.fill(stream).await?;
            }
            answer.bytes.drain(..left);
            if size == 0 {
                return Ok(());
            }
        },
    }
}

impl Answer {
    async fn fill(&mut self, stream: &mut TcpStream) -> io::Result<usize> {
        self.bytes.reserve(64 * 1024);
        match stream.read_buf(&mut self.bytes).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }

    /// Reads the head, which must be that of a success.
    async fn read_head(&mut self, stream: &mut TcpStream) -> io::Result<Body> {
        let end = loop {
            let end = self.bytes.windows(4).position(|part| part == b"\r\n\r\n");
            match end {
                Some(end) => break end + 4,
                None => self.fill(stream).await?,
            };
        };
        let head = String::from_utf8_lossy(&self.bytes[..end]).to_ascii_lowercase();
        self.bytes.drain(..end);
        if head.split(' ').nth(1) != Some("200") {
            return Err(io::Error::other(head));
        }
        let value = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned())
        };
        match value("content-length:") {
            Some(length) => Ok(Body::Length(length.parse().map_err(io::Error::other)?)),
            None => Ok(Body::Chunked),
        }
    }

    async fn line(&mut self, stream: &mut TcpStream) -> io::Result<String> {
        loop {
            if let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.fill(stream).await?;
        }
    }
}
