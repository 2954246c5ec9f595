// SPDX-License-Identifier: Apache-2.0
// What the registry answers: each with the index of what was read, in the order of ids.

extension HealthRegistry {
    package func services() -> Indexed<[RegisteredService]> {
        read { Indexed($0.sortedServices, $0.index(of: .services)) }
    }

    package func service(_ id: String) -> RegisteredService? { read { $0.services[id] } }

    package func checks() -> Indexed<[RegisteredCheck]> {
        read { Indexed($0.sortedChecks, $0.index(of: .checks)) }
    }

    package func check(_ id: String) -> RegisteredCheck? { read { $0.checks[id] } }

    /// The instances of a service with all checks that say something about them.
    package func health(of name: String) -> Indexed<[ServiceHealth]> {
        read { registry in
            Indexed(registry.health(of: name), registry.index(of: .service(name)))
        }
    }
}

extension RegistryState {
    fileprivate var sortedServices: [RegisteredService] { services.values.sorted { $0.service.id < $1.service.id } }
    fileprivate var sortedChecks: [RegisteredCheck] { checks.values.sorted { $0.id < $1.id } }

    fileprivate func health(of name: String) -> [ServiceHealth] {
        // Once over the checks, however many instances there are.
        let checks = Dictionary(grouping: checks.values, by: \.serviceID).mapValues { group in
            group.sorted { $0.id < $1.id }
        }
        let ofNode = checks[nil] ?? []
        let instances = services.values.filter { $0.service.name == name }.sorted { $0.service.id < $1.service.id }
        return instances.map { entry in
            ServiceHealth(entry: entry, checks: ofNode + (checks[entry.service.id] ?? []))
        }
    }
}
