//! Samples by measure and way; medians of them, and of ratios within a round.

use super::measure::{Measure, Route};
use std::collections::BTreeMap;

/// What was measured: one number a round, in the order of the rounds.
#[derive(Debug, Default)]
pub struct Samples {
    by: BTreeMap<(&'static str, Route), Vec<f64>>,
}

impl Samples {
    pub fn add(&mut self, measure: Measure, route: Route, value: f64) {
        self.by.entry((measure.name, route)).or_default().push(value);
    }

    pub fn of(&self, measure: Measure, route: Route) -> &[f64] {
        self.by.get(&(measure.name, route)).map_or(&[], Vec::as_slice)
    }

    pub fn median(&self, measure: Measure, route: Route) -> Option<f64> {
        median(self.of(measure, route))
    }

    /// The median of the ratios of one way to another in the same round. Machines speed up and slow down: a ratio of
    /// medians would compare different minutes.
    pub fn ratio(&self, measure: Measure, route: Route, to: Route) -> Option<f64> {
        median(&self.ratios(measure, route, to))
    }

    /// The ratios, round by round.
    pub fn ratios(&self, measure: Measure, route: Route, to: Route) -> Vec<f64> {
        self.of(measure, route).iter().zip(self.of(measure, to)).map(|(a, b)| a / b).collect()
    }
}

/// The middle; of an even number, the mean of the middle two.
pub fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    Some(if sorted.len() % 2 == 1 { upper } else { f64::midpoint(*sorted.get(half - 1)?, upper) })
}

/// The least value that so many percent of all are at or below.
pub fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let sorted = sorted(values);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::super::measure::MEASURES;
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 95), Some(19.0));
        assert_eq!(percentile(&values, 100), Some(20.0));
        assert_eq!(percentile(&values, 0), Some(1.0));
        assert_eq!(percentile(&[], 95), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let (mut samples, measure) = (Samples::default(), MEASURES[0]);
        // The machine was ten times slower in the second round; the way was always half as fast.
        for (direct, daypass) in [(100.0, 50.0), (10.0, 5.0), (80.0, 40.0)] {
            samples.add(measure, Route::Direct, direct);
            samples.add(measure, Route::Daypass, daypass);
        }
        assert_eq!(samples.ratio(measure, Route::Daypass, Route::Direct), Some(0.5));
        assert_eq!(samples.median(measure, Route::Direct), Some(80.0));
        assert_eq!(samples.ratio(measure, Route::Daypass, Route::Pgbouncer), None);
    }
}
