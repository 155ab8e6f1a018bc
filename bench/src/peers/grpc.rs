//! gRPC over a Unix socket: tonic calls the Python server. Messages go through as bytes, which costs
//! less than protobuf and needs no generated code.

use std::path::Path;

use bytes::{Buf, BufMut, Bytes};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::measured::{Measured, measure};
use super::{ANSWER, LIMIT, QUESTION};
use crate::calls::one_thread;
use crate::program::Server;
use crate::{Failure, python};

pub(super) fn run(seconds: f64) -> Result<Measured, Failure> {
    let server = Server::start(&python::folder("python/peers/grpc_server.py"), LIMIT)?;
    // Faster than with two threads.
    one_thread()?.block_on(async {
        let client = Grpc::new(connect(&server.socket()).await?);
        measure(seconds, move || call(client.clone())).await
    })
}

async fn connect(socket: &Path) -> Result<Channel, Failure> {
    let socket = socket.to_owned();
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    // Where it leads is up to the connector.
    let endpoint = Endpoint::from_static("http://localhost");
    Ok(endpoint.connect_with_connector(connector).await?)
}

async fn call(mut client: Grpc<Channel>) -> Result<(), Failure> {
    client.ready().await?;
    let path = PathAndQuery::from_static("/bench.Predictor/Predict");
    let answer = client
        .unary(Request::new(Bytes::from_static(QUESTION)), path, Plain)
        .await?;
    if answer.get_ref() == ANSWER {
        Ok(())
    } else {
        Err("a wrong answer".into())
    }
}

/// Messages are bytes already.
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
