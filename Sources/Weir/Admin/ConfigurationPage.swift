// SPDX-License-Identifier: Apache-2.0
// /config: every setting that is in force, and where it comes from.

/// The settings as JSON, in the order of docs/configuration.md. Values are text, as in the environment.
package enum ConfigurationPage {
    /// - Parameters:
    ///   - settings: what is in force.
    ///   - given: what the configuration says, some of which may wait for a restart.
    ///   - fault: why the configuration is refused as it is now; nil where it is right.
    ///   - budget: what the pod may use; nil for none of it.
    package static func json(
        _ settings: Settings,
        given: Settings? = nil,
        fault: String? = nil,
        budget: BudgetReport? = nil
    ) -> [UInt8] {
        var json = JSONWriter()
        json.append("{\"version\":")
        json.append(string: WeirVersion.text)
        if let fault {
            json.append(",\"rejected\":")
            json.append(string: fault)
        }
        if let budget {
            json.append(",\"budget\":")
            budget.append(to: &json, withSources: false)
        }
        json.append(",\"settings\":[")
        for (index, setting) in Settings.table.enumerated() {
            json.append(index == 0 ? "{\"name\":" : ",{\"name\":")
            json.append(string: setting.name)
            json.append(",\"value\":")
            json.append(string: setting.shownText(settings))
            json.append(",\"default\":")
            json.append(string: setting.defaultText)
            json.append(",\"source\":")
            json.append(string: settings.source(of: setting).text)
            if let given, setting.text(given) != setting.text(settings) {
                json.append(",\"after_restart\":")
                json.append(string: setting.shownText(given))
            }
            json.append("}")
        }
        json.append("]}\n")
        return json.bytes
    }
}
