// SPDX-License-Identifier: Apache-2.0
// Routes under a common prefix with common options.

/// Routes that share a prefix, options and middleware.
public struct RouteGroup: RouteCollection {
    let app: App
    let prefix: String
    let box: PropertiesBox

    /// Holds what `use` adds, so that a group can be a value in the closure that declares its routes.
    final class PropertiesBox {
        var properties: RouteProperties

        init(_ properties: RouteProperties) {
            self.properties = properties
        }
    }

    public func add(_ route: RouteDeclaration) {
        app.add(route, prefix: prefix, properties: box.properties)
    }

    /// Wraps the routes of this group that are declared after it.
    public func use(_ middleware: any Middleware) {
        box.properties.middleware.append(middleware)
    }

    /// Declares routes under a further prefix.
    public func group(_ prefix: String, _ options: RouteOption..., declare: (RouteGroup) -> Void) {
        declare(RouteGroup(app: app, prefix: self.prefix + prefix, box: PropertiesBox(box.properties.adding(options))))
    }
}
