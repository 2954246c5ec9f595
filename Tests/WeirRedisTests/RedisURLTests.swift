// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirRedis

@Suite struct RedisURLTests {
    static let shown = [
        "redis://cache": "redis://cache:6379",
        "redis://Cache.Shop.svc:6380/": "redis://cache.shop.svc:6380",
        "REDIS://10.0.0.1/3": "redis://10.0.0.1:6379/3",
        "redis://[fd00::7]:6380/0": "redis://[fd00::7]:6380",
        "redis://:secret@cache": "redis://***@cache:6379",
        "redis://weir:se%40cr%2Fet@10.0.0.1:1/15": "redis://***@10.0.0.1:1/15",
        "unix:/run/redis.sock": "unix:/run/redis.sock",
    ]

    @Test(arguments: shown)
    func `a place is read, and shown without credentials`(_ text: String, _ shown: String) throws {
        #expect(try RedisURL(parsing: text).description == shown)
    }

    @Test func `equal places are equal whatever their form, and credentials tell them apart`() throws {
        #expect(try RedisURL(parsing: "redis://Cache/") == RedisURL(parsing: "redis://cache:6379/0"))
        #expect(try RedisURL(parsing: "redis://:%61@c") == RedisURL(parsing: "redis://:a@c"))
        #expect(try RedisURL(parsing: "redis://:a@c") != RedisURL(parsing: "redis://:b@c"))
        #expect(try RedisURL(parsing: "redis://u:a@c") != RedisURL(parsing: "redis://:a@c"))
    }

    static let refused: [(String, RedisURLError)] = [
        ("", .unknownScheme(url: "")),
        ("cache:6379", .unknownScheme(url: "cache:6379")),
        ("http://cache", .unknownScheme(url: "http://cache")),
        ("rediss://:hush@cache", .tlsUnsupported(url: "rediss://***@cache")),
        ("redis://", .invalidHost(url: "redis://")),
        ("redis://:6379", .invalidHost(url: "redis://:6379")),
        ("redis://fd00::7", .invalidHost(url: "redis://fd00::7")),
        ("redis://[10.0.0.1]", .invalidHost(url: "redis://[10.0.0.1]")),
        ("redis://ca che", .invalidHost(url: "redis://ca che")),
        ("redis://cache:0", .invalidPort(url: "redis://cache:0")),
        ("redis://cache:65536", .invalidPort(url: "redis://cache:65536")),
        ("redis://cache:", .invalidPort(url: "redis://cache:")),
        ("redis://[::1]6379", .invalidPort(url: "redis://[::1]6379")),
        ("redis://cache/x", .invalidDatabase(url: "redis://cache/x")),
        ("redis://cache/65536", .invalidDatabase(url: "redis://cache/65536")),
        ("redis://cache/0?timeout=1", .hasQuery(url: "redis://cache/0?timeout=1")),
        ("redis://hush@cache", .missingPassword(url: "redis://***@cache")),
        ("redis://weir:@cache", .missingPassword(url: "redis://***@cache")),
        ("redis://:hu%zzsh@cache", .unescapedCredentials(url: "redis://***@cache")),
        ("redis://:hu:sh@cache", .unescapedCredentials(url: "redis://***@cache")),
        ("redis://weir:6379/hush@cache", .unescapedCredentials(url: "redis://***@cache")),
        ("redis://:hush#@cache", .unescapedCredentials(url: "redis://***@cache")),
        ("weir:hush@cache", .unknownScheme(url: "***@cache")),
        ("unix:redis.sock", .invalidPath(url: "unix:redis.sock")),
        ("unix:/", .invalidPath(url: "unix:/")),
    ]

    @Test(arguments: refused) func `anything else is refused`(_ text: String, _ error: RedisURLError) {
        #expect(throws: error) { try RedisURL(parsing: text) }
        #expect(!error.description.contains("hush"))
        #expect(!error.description.contains("\n"))
    }
}
