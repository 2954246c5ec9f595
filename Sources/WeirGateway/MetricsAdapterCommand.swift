// SPDX-License-Identifier: Apache-2.0
// `weir metrics-adapter`: what the HPA asks of pods that run Weir.

import ArgumentParser
import Weir
import WeirAdapter
import WeirSystemd

struct MetricsAdapterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics-adapter",
        abstract: "Serves the metrics of pods with Weir to the HPA, through the API server's aggregation layer.",
        discussion: """
            Watches the pods that WEIR_ADAPTER_SELECTOR means, asks their admin ports each second, and answers \
            custom.metrics.k8s.io (and, with WEIR_ADAPTER_EXTERNAL=true, external.metrics.k8s.io) on :6443 \
            (WEIR_LISTEN), over TLS, to the API server alone. Its settings are the WEIR_ADAPTER_* variables of \
            docs/adapter.md, beside those that every Weir service has. Probes and metrics of its own are on :9901 \
            (WEIR_ADMIN_LISTEN).
            """
    )

    func run() async throws {
        let settings = Self.settings()
        let supervisor: Supervisor
        do throws(SystemdError) {
            supervisor = try SystemdIntegration().supervisor
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
        try await AdapterApp.run(settings, under: supervisor)
    }

    /// What the environment says; ends the process with one line where something is wrong.
    static func settings() -> AdapterSettings {
        do throws(SettingsError) {
            return try AdapterSettings(environment: ProcessEnvironment.all)
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
    }
}
