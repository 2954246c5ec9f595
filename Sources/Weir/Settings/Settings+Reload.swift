// SPDX-License-Identifier: Apache-2.0
// What of new settings comes into force while an engine runs, and what waits for a restart. Pure.

extension Settings {
    /// These settings as they can be in force behind `former`: what waits for a restart is as it was.
    package func inForce(behind former: Settings) -> Settings {
        var settings = self
        for setting in waiting(behind: former) {
            let isRead = setting.apply(setting.text(former), &settings)
            precondition(isRead, "\(setting.name) does not read what it writes")
            settings.readValues.values[setting.name] = former.readValues.values[setting.name]
        }
        return settings
    }

    /// The settings that wait for a restart where `former` is in force.
    package func waiting(behind former: Settings) -> [Setting] {
        changed(behind: former).filter { !$0.isReloaded || ($0.name == "WEIR_CONCURRENCY" && turns(former)) }
    }

    /// The settings that have another value than in `former`.
    package func changed(behind former: Settings) -> [Setting] {
        Self.table.filter { $0.text(self) != $0.text(former) }
    }

    /// Whether the concurrency is found instead of given, or the other way: what finds it is made at the start.
    private func turns(_ former: Settings) -> Bool {
        (admission.concurrency == .automatic) != (former.admission.concurrency == .automatic)
    }

    /// The sentence of docs/configuration.md that says what a reload brings into force.
    package static var reloadDocumentation: String {
        let names = table.filter(\.isReloaded).map { "`\($0.name)`" }
        return "A reload brings into force: \(names.dropLast().joined(separator: ", ")) and \(names.last ?? "")."
    }
}
