//! pass@k without bias: the probability that at least one of k samples passes, estimated from n ≥ k samples of
//! which c passed (Chen et al., *Evaluating Large Language Models Trained on Code*, 2021, arXiv:2107.03374).

/// `1 − C(n−c, k) / C(n, k)` as the product `1 − Π_{i = n−c+1}^{n} (1 − k/i)`, which needs no large numbers.
/// None if there are fewer than k samples, or no k.
pub fn pass_at(k: u32, samples: u32, passed: u32) -> Option<f64> {
    if k == 0 || k > samples || passed > samples {
        return None;
    }
    if samples - passed < k {
        return Some(1.0);
    }
    let none =
        (samples - passed + 1..=samples).fold(1.0, |none, i| none * (1.0 - f64::from(k) / f64::from(i)));
    Some(1.0 - none)
}

/// The k shown for n samples: powers of two, and n itself.
pub fn steps(samples: u32) -> Vec<u32> {
    let mut steps: Vec<u32> =
        std::iter::successors(Some(1_u32), |k| k.checked_mul(2)).take_while(|k| *k <= samples).collect();
    if samples > 0 && steps.last() != Some(&samples) {
        steps.push(samples);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_has_the_known_values() {
        let check = |k: u32, samples: u32, passed: u32, expected: Option<f64>| match (
            pass_at(k, samples, passed),
            expected,
        ) {
            (Some(got), Some(expected)) => {
                assert!((got - expected).abs() < 1e-12, "{k} {samples} {passed}: {got}")
            }
            (got, expected) => assert_eq!(got, expected, "{k} {samples} {passed}"),
        };
        check(1, 1, 0, Some(0.0));
        check(1, 1, 1, Some(1.0));
        check(1, 10, 3, Some(0.3));
        check(2, 10, 3, Some(1.0 - 21.0 / 45.0)); // 1 − C(7,2)/C(10,2)
        check(5, 10, 3, Some(1.0 - 21.0 / 252.0)); // 1 − C(7,5)/C(10,5)
        check(8, 10, 3, Some(1.0));
        check(10, 200, 1, Some(0.05));
        check(100, 200, 1, Some(0.5));
        check(100, 200, 2, Some(1.0 - 100.0 * 99.0 / (200.0 * 199.0)));
        check(16, 16, 0, Some(0.0));
        check(2, 1, 1, None);
        check(0, 1, 1, None);
        check(1, 1, 2, None);
    }

    #[test]
    fn powers_of_two_and_the_number_itself_are_shown() {
        assert_eq!(steps(1), [1]);
        assert_eq!(steps(16), [1, 2, 4, 8, 16]);
        assert_eq!(steps(10), [1, 2, 4, 8, 10]);
        assert_eq!(steps(0), [0_u32; 0]);
    }
}
