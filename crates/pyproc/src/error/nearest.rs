//! "Did you mean": the name that looks most like a mistyped one.

/// How alike two names must be (0 to 1) to suggest one for the other.
const ALIKE: f64 = 0.8;

/// Names of functions are not that long; comparing with one takes the product of both lengths.
const LONGEST: usize = 256;

/// The name among `names` that `wanted` is most likely a misspelling of, if any is close.
#[must_use]
pub fn nearest<'n>(wanted: &str, names: &'n [String]) -> Option<&'n str> {
    if wanted.len() > LONGEST {
        return None;
    }
    let wanted = wanted.to_lowercase();
    names
        .iter()
        .map(|name| {
            (
                strsim::jaro_winkler(&wanted, &name.to_lowercase()),
                name.as_str(),
            )
        })
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    fn names() -> Vec<String> {
        ["predict", "train", "health"].map(str::to_owned).to_vec()
    }

    #[test]
    fn suggests_what_is_close() {
        for wrong in ["preidct", "Predict", "predikt", "predict_"] {
            assert_eq!(nearest(wrong, &names()), Some("predict"), "{wrong}");
        }
    }

    #[test]
    fn says_nothing_when_nothing_is_close() {
        for wrong in ["resize", "", "x"] {
            assert_eq!(nearest(wrong, &names()), None, "{wrong}");
        }
        assert_eq!(nearest("predict", &[]), None);
    }
}
