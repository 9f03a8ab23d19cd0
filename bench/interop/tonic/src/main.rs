// The echo service on tonic: `tonic DESCRIPTORS [CERTIFICATE KEY]`. Says where it listens; SIGTERM stops it gracefully,
// the end of its standard input at once.
use std::{fs, pin::Pin, time::Duration};
use tokio::io::AsyncReadExt;
use tokio_stream::{wrappers::ReceiverStream, wrappers::TcpListenerStream, Stream, StreamExt};
use tonic::{
    codec::CompressionEncoding,
    transport::{Identity, Server, ServerTlsConfig},
    Code, Request, Response, Status, Streaming,
};

mod proto {
    tonic::include_proto!("evenkeel.echo.v1");
}
use proto::{echo_server, EchoReply, EchoRequest};

const MAX_CONCURRENT_STREAMS: u32 = 10;

struct Echo {
    address: String,
}

type Replies = Pin<Box<dyn Stream<Item = Result<EchoReply, Status>> + Send>>;

impl Echo {
    fn reply(&self, payload: Vec<u8>, seen: u32) -> EchoReply {
        EchoReply { payload, server: self.address.clone(), seen }
    }
}

async fn wait(request: &EchoRequest) {
    tokio::time::sleep(Duration::from_millis(request.delay_ms.into())).await;
}

fn status(request: &EchoRequest) -> Result<(), Status> {
    match request.code {
        0 => Ok(()),
        code => Err(Status::new(Code::from(code as i32), request.details.clone())),
    }
}

#[tonic::async_trait]
impl echo_server::Echo for Echo {
    type ServerStreamStream = Replies;
    type BidiStream = Replies;

    async fn unary(&self, request: Request<EchoRequest>) -> Result<Response<EchoReply>, Status> {
        let request = request.into_inner();
        wait(&request).await;
        status(&request)?;
        Ok(Response::new(self.reply(request.payload, 1)))
    }

    async fn server_stream(&self, request: Request<EchoRequest>) -> Result<Response<Replies>, Status> {
        let request = request.into_inner();
        let reply = self.reply(request.payload.clone(), 1);
        let (sender, replies) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            for _ in 0..request.count {
                wait(&request).await;
                if sender.send(Ok(reply.clone())).await.is_err() {
                    return;
                }
            }
            if let Err(failure) = status(&request) {
                let _ = sender.send(Err(failure)).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<EchoReply>, Status> {
        let mut requests = request.into_inner();
        let (mut payload, mut seen, mut last) = (Vec::new(), 0, EchoRequest::default());
        while let Some(request) = requests.next().await {
            last = request?;
            payload.append(&mut last.payload);
            seen += 1;
        }
        wait(&last).await;
        status(&last)?;
        Ok(Response::new(self.reply(payload, seen)))
    }

    async fn bidi(&self, request: Request<Streaming<EchoRequest>>) -> Result<Response<Replies>, Status> {
        let mut requests = request.into_inner();
        let address = self.address.clone();
        let (sender, replies) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            let mut seen = 0;
            while let Some(Ok(request)) = requests.next().await {
                wait(&request).await;
                seen += 1;
                let server = address.clone();
                let reply = status(&request).map(|()| EchoReply { payload: request.payload, server, seen });
                let failed = reply.is_err();
                if sender.send(reply).await.is_err() || failed {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    tokio::spawn(async {
        let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
        std::process::exit(0);
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    println!("listening {address}");
    let mut server = Server::builder().max_concurrent_streams(MAX_CONCURRENT_STREAMS);
    if let [_, _, certificate, key] = args.as_slice() {
        let identity = Identity::from_pem(fs::read(certificate)?, fs::read(key)?);
        server = server.tls_config(ServerTlsConfig::new().identity(identity))?;
    }
    let service = echo_server::EchoServer::new(Echo { address })
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    server
        .add_service(service)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async move {
            terminate.recv().await;
        })
        .await?;
    // Not by returning: the runtime would wait for the thread that reads standard input.
    std::process::exit(0)
}
