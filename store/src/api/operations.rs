//! Which operation a request names, and its body as that operation's parameters.

use http::HeaderMap;
use serde::de::DeserializeOwned;

use super::backend::Backend;
use super::error::{ApiError, Exception};
use super::extension::Asked;
use super::reply::Reply;
use super::{items, pages, tables};

/// What every `X-Amz-Target` starts with: the API's version.
const TARGET_PREFIX: &str = "DynamoDB_20120810.";

/// The operations of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateTable,
    DescribeTable,
    ListTables,
    DeleteTable,
    PutItem,
    GetItem,
    DeleteItem,
    UpdateItem,
    Query,
    Scan,
}

impl Operation {
    /// The operation that an `X-Amz-Target` names.
    pub(super) fn from_target(target: &str) -> Result<Self, ApiError> {
        let name = target.strip_prefix(TARGET_PREFIX).unwrap_or(target);
        match name {
            _ if name == target => {}
            "CreateTable" => return Ok(Self::CreateTable),
            "DescribeTable" => return Ok(Self::DescribeTable),
            "ListTables" => return Ok(Self::ListTables),
            "DeleteTable" => return Ok(Self::DeleteTable),
            "PutItem" => return Ok(Self::PutItem),
            "GetItem" => return Ok(Self::GetItem),
            "DeleteItem" => return Ok(Self::DeleteItem),
            "UpdateItem" => return Ok(Self::UpdateItem),
            "Query" => return Ok(Self::Query),
            "Scan" => return Ok(Self::Scan),
            _ => {}
        }
        let message = format!("The operation {name} is not supported by this store");
        Err(ApiError::new(Exception::UnknownOperation, message))
    }

    /// Runs the operation. Only those on items look at the extension's headers.
    pub(super) async fn run(
        self,
        backend: &dyn Backend,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Reply, ApiError> {
        let asked = || Asked::read(headers);
        match self {
            Self::CreateTable => tables::create_table(backend, parse(body)?).await,
            Self::DescribeTable => tables::describe_table(backend, parse(body)?).await,
            Self::ListTables => tables::list_tables(backend, parse(body)?).await,
            Self::DeleteTable => tables::delete_table(backend, parse(body)?).await,
            Self::PutItem => items::put_item(backend, parse(body)?, asked()?).await,
            Self::GetItem => items::get_item(backend, parse(body)?, asked()?).await,
            Self::DeleteItem => items::delete_item(backend, parse(body)?, asked()?).await,
            Self::UpdateItem => items::update_item(backend, parse(body)?, asked()?).await,
            Self::Query => {
                asked()?.of_page()?;
                pages::query(backend, parse(body)?).await
            }
            Self::Scan => {
                asked()?.of_page()?;
                pages::scan(backend, parse(body)?).await
            }
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let refused = |text: String| ApiError::new(Exception::Serialization, text);
    // serde would take an array for a structure's fields in their order
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(refused("Unexpected array where the request's parameters were expected".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| refused(error.to_string()))
}
