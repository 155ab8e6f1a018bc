//! Where STS is: by region and partition, as botocore chooses it.

use crate::pod::Pod;

/// Where the pod's environment sends requests to STS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The URL, with its slash at the end.
    pub url: String,
    /// The region that requests are signed for.
    pub region: String,
}

/// The endpoint of the oldest partition, in no region.
const GLOBAL: &str = "https://sts.amazonaws.com/";
const GLOBAL_REGION: &str = "us-east-1";

/// How a partition's regions begin, and the ends of its names: with IPv4, and with both kinds of addresses.
const PARTITIONS: &[(&str, &str, &str)] = &[
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    // GovCloud has the names of the oldest partition, which has all other regions.
    ("", "amazonaws.com", "api.aws"),
];

/// The regions whose requests `legacy` sends to the global endpoint: those that are older than it.
const LEGACY: &[&str] = &[
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

impl Endpoint {
    /// As the SDKs choose it: an endpoint of the environment, the region's, else the global one.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let region = region(pod);
        let configured = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]
            .into_iter()
            .find_map(|name| pod.variable(name))
            .filter(|_| !pod.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"));
        if let Some(url) = configured {
            return Self {
                url: format!("{}/", url.trim_end_matches('/')),
                region: region.unwrap_or(GLOBAL_REGION).to_owned(),
            };
        }
        match region {
            Some(region) => regional(pod, region),
            None => Self::global(),
        }
    }

    /// Whether it is the one of no region.
    #[must_use]
    pub fn is_global(&self) -> bool {
        self.url == GLOBAL
    }

    fn global() -> Self {
        Self {
            url: GLOBAL.to_owned(),
            region: GLOBAL_REGION.to_owned(),
        }
    }
}

/// The pod's region.
#[must_use]
pub fn region(pod: &Pod) -> Option<&str> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|name| pod.variable(name))
}

/// Whether this host is one of AWS': a service's own or that of a VPC endpoint.
#[must_use]
pub fn is_of_aws(host: &str) -> bool {
    let ends = PARTITIONS.iter().flat_map(|(_, ipv4, dual)| [ipv4, dual]);
    ends.into_iter().any(|end| {
        host.strip_suffix(end)
            .is_some_and(|before| before.ends_with('.'))
    })
}

fn regional(pod: &Pod, region: &str) -> Endpoint {
    // A region is part of a host's name here.
    let region: String = region
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    let fips = pod.is_true("AWS_USE_FIPS_ENDPOINT");
    let dual = pod.is_true("AWS_USE_DUALSTACK_ENDPOINT");
    let legacy = pod
        .variable("AWS_STS_REGIONAL_ENDPOINTS")
        .is_some_and(|value| value.eq_ignore_ascii_case("legacy"));
    let old = LEGACY.contains(&region.as_str());
    if !fips && !dual && (region == "aws-global" || legacy && old) {
        return Endpoint::global();
    }
    let (_, ipv4, both) = PARTITIONS
        .iter()
        .find(|(prefix, _, _)| region.starts_with(prefix))
        .unwrap_or(&PARTITIONS[PARTITIONS.len() - 1]);
    // All of GovCloud's endpoints are FIPS endpoints, under their ordinary names.
    let name = match (fips, dual) {
        (true, false) if region.starts_with("us-gov-") => "sts",
        (true, _) => "sts-fips",
        (false, _) => "sts",
    };
    let domain = if dual { both } else { ipv4 };
    Endpoint {
        url: format!("https://{name}.{region}.{domain}/"),
        region,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Endpoint {
        let given = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Endpoint::of(&Pod::default().with_variables(given))
    }

    #[test]
    fn the_endpoint_is_the_one_that_botocore_chooses() {
        let mut compared = 0;
        let lines = include_str!("endpoints.txt").lines();
        for line in lines.filter(|line| !line.starts_with('#')) {
            let parts: Vec<&str> = line.split(' ').collect();
            let [region, options, url, signed] = parts.as_slice() else {
                panic!("four parts in {line}")
            };
            let mut variables = vec![("AWS_REGION", *region)];
            for option in options.split('+') {
                variables.push(match option {
                    "legacy" => ("AWS_STS_REGIONAL_ENDPOINTS", "legacy"),
                    "fips" => ("AWS_USE_FIPS_ENDPOINT", "true"),
                    "dual" => ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
                    _ => ("AWS_STS_REGIONAL_ENDPOINTS", "regional"),
                });
            }
            let endpoint = of(&variables);
            assert_eq!(
                (endpoint.url.as_str(), endpoint.region.as_str()),
                (*url, *signed),
                "{line}"
            );
            compared += 1;
        }
        assert!(compared > 80, "{compared}");
    }

    #[test]
    fn the_environment_decides_before_the_region() {
        assert!(of(&[]).is_global());
        assert_eq!(
            of(&[("AWS_ENDPOINT_URL", "https://x:1")]).url,
            "https://x:1/"
        );
        let ignored = [
            ("AWS_ENDPOINT_URL", "https://x:1"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
        ];
        assert_eq!(of(&ignored).url, "https://sts.eu-west-1.amazonaws.com/");
    }

    #[test]
    fn a_vpc_endpoint_is_one_of_aws() {
        assert!(is_of_aws("vpce-1-2.sts.eu-west-1.vpce.amazonaws.com"));
        assert!(is_of_aws("sts.cn-north-1.amazonaws.com.cn"));
        assert!(!is_of_aws("notamazonaws.com") && !is_of_aws("localhost"));
    }
}
