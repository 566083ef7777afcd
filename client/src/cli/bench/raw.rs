//! A codec for requests that are already encoded: a bench should measure the server, not its own encoding.

use std::marker::PhantomData;

use bytes::{BufMut as _, Bytes};
use prost::Message;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// Sends bytes as they are and decodes answers of type `T`.
pub(super) struct RawCodec<T>(PhantomData<T>);

/// Sends bytes as they are.
pub(super) struct RawEncoder;

/// Decodes answers.
pub(super) struct RawDecoder<T>(PhantomData<T>);

impl<T> RawCodec<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Default + 'static> Codec for RawCodec<T> {
    type Encode = Bytes;
    type Decode = T;
    type Encoder = RawEncoder;
    type Decoder = RawDecoder<T>;

    fn encoder(&mut self) -> RawEncoder {
        RawEncoder
    }

    fn decoder(&mut self) -> RawDecoder<T> {
        RawDecoder(PhantomData)
    }
}

impl Encoder for RawEncoder {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl<T: Message + Default> Decoder for RawDecoder<T> {
    type Item = T;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<T>, Status> {
        T::decode(buffer).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
