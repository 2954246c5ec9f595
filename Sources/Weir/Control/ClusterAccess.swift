// SPDX-License-Identifier: Apache-2.0
// The Kubernetes cluster around this process: where its API server is, and in which zone we run. A value, made at start.

import FoundationEssentials
package import WeirUpstream

/// How services of the cluster are found.
package struct ClusterAccess: Sendable {
    /// Nil in no cluster.
    package var api: KubernetesAPI?
    /// Nil where it is not known.
    package var zone: String?

    package init(api: KubernetesAPI? = nil, zone: String? = nil) {
        self.api = api
        self.zone = zone
    }

    /// What the settings say, else what the kubelet has told this process.
    package init(_ settings: Settings.Upstream, environment: [String: String] = ProcessInfo.processInfo.environment) {
        let account = settings.kubernetesAccount.isEmpty ? KubernetesAPI.accountDefault : settings.kubernetesAccount
        api =
            settings.kubernetesAPI.isEmpty
            ? KubernetesAPI(environment: environment, account: account)
            : KubernetesAPI(parsing: settings.kubernetesAPI, account: account)
        zone = settings.zone.isEmpty ? nil : settings.zone
    }
}
