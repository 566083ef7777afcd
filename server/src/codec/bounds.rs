//! What owners are bounded to.

use std::sync::Arc;

use offpeak_core::model::{Bounds, Dimension, Horizon, NodeBounds, NodeId};

use super::{CodecError, format, model::name};

/// A countable, whose name stands beside.
const COUNT: u32 = 6;

pub(super) fn to_message(found: &NodeBounds) -> format::NodeBounds {
    format::NodeBounds { node: found.node.0, bounds: bounds_message(&found.bounds) }
}

pub(super) fn from_message(message: format::NodeBounds) -> Result<NodeBounds, CodecError> {
    let bounds = Arc::new(bounds(message.bounds)?);
    Ok(NodeBounds { node: NodeId(message.node), bounds })
}

pub(super) fn bounds_message(bounds: &Bounds) -> format::Bounds {
    let names = bounds.0.iter().filter_map(|(dimension, _)| match dimension {
        Dimension::Count(name) => Some(name.to_string()),
        _ => None,
    });
    format::Bounds {
        dimensions: bounds.0.iter().map(|(dimension, _)| code(dimension)).collect(),
        names: names.collect(),
        permille: bounds.0.iter().flat_map(|(_, permille)| permille.map(u32::from)).collect(),
    }
}

pub(super) fn bounds(message: format::Bounds) -> Result<Bounds, CodecError> {
    let format::Bounds { dimensions, names, permille } = message;
    if permille.len() != dimensions.len() * Horizon::COUNT {
        return Err(CodecError::Columns("bounds"));
    }
    let mut names = names.into_iter();
    let mut bounds = Bounds::default();
    for (code, permille) in dimensions.into_iter().zip(permille.chunks_exact(Horizon::COUNT)) {
        let dimension = match code {
            COUNT => Dimension::Count(name(
                "countable",
                &names.next().ok_or(CodecError::Columns("bounds"))?,
            )?),
            code => dimension(code)?,
        };
        let mut parts = [0; Horizon::COUNT];
        for (part, permille) in parts.iter_mut().zip(permille) {
            let range = CodecError::Range { what: "a bound", value: u64::from(*permille) };
            *part = u16::try_from(*permille).map_err(|_| range)?;
        }
        bounds.0.push((dimension, parts));
    }
    Ok(bounds)
}

fn code(dimension: &Dimension) -> u32 {
    match dimension {
        Dimension::Cpu => 1,
        Dimension::Memory => 2,
        Dimension::Disk => 3,
        Dimension::Network => 4,
        Dimension::Gpu => 5,
        Dimension::Count(_) => COUNT,
    }
}

fn dimension(code: u32) -> Result<Dimension, CodecError> {
    Ok(match code {
        1 => Dimension::Cpu,
        2 => Dimension::Memory,
        3 => Dimension::Disk,
        4 => Dimension::Network,
        5 => Dimension::Gpu,
        value => return Err(CodecError::Unknown { what: "resource", value }),
    })
}
