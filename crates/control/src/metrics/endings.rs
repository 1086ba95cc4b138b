//! How long endings took, as the use cases counted it.

use std::{fmt, sync::Arc};

use daypass_app::{
    App,
    took::{BOUNDS_US, Times},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

/// A histogram whose truth is elsewhere.
pub(super) struct Endings(pub(super) Arc<App>);

impl fmt::Debug for Endings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endings")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: &'static str,
}

impl EncodeMetric for Endings {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let took = self.0.took();
        for (stage, times) in [("client", took.client.times()), ("target", took.target.times())] {
            let Times { counts, sum_us } = times;
            let bounds = BOUNDS_US.into_iter().map(seconds).chain([f64::MAX]);
            let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
            let labels = StageLabels { stage };
            let mut family = encoder.encode_family(&labels)?;
            family.encode_histogram::<NoLabelSet>(seconds(sum_us), counts.iter().sum(), &buckets, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Beyond 2^53 microseconds (285 years) digits would be lost.
fn seconds(us: u64) -> f64 {
    us as f64 / 1_000_000.0
}
