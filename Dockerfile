# SPDX-License-Identifier: Apache-2.0
# The gateway's image: the program, the shared libraries that it needs, and nothing else, not even a shell. It is for
# the platform that it is built on, or that --platform names. docs/image.md

FROM swift:6.3-bookworm AS build

# amd64 or arm64, which Debian calls by the same names: set by the builder, from --platform or its own. A base image of
# another platform, if it is there already, would be taken in silence.
ARG TARGETARCH
RUN base=$(dpkg --print-architecture) \
    && if [ "$base" != "$TARGETARCH" ]; then echo "the base image is for $base, not for $TARGETARCH" >&2; exit 1; fi

# Unpinned, so that a build takes Debian's security updates. The libraries that the base image has already are named
# too, since they go into the image.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libc-ares-dev libc6 libgcc-s1 libhiredis-dev libssl-dev libstdc++6 libsystemd-dev libyaml-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /weir
COPY LICENSE Package.swift ./
COPY scripts/image-root scripts/
COPY Sources Sources
# Not built, but the package is not whole without the folders of all its targets.
COPY Benchmarks Benchmarks
COPY Examples Examples
COPY Tests Tests
# The build folder outlives this build, so the next one for this architecture compiles only what has changed.
# It does not see that the order of functions has changed, so the program is linked anew.
RUN --mount=type=cache,id=weir-build-$TARGETARCH,sharing=locked,target=/weir/.build \
    rm -f .build/release/weir \
    && swift build -c release --static-swift-stdlib --product weir \
    && scripts/image-root .build /image /symbols

# What a debugger needs for the addresses of this very build.
FROM scratch AS symbols
COPY --from=build /symbols /

FROM scratch
COPY --from=build /image /

ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="weir" \
      org.opencontainers.image.description="An HTTP gateway for services in pods" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0"

# By number, so that runAsNonRoot can tell.
USER 65532:65532
EXPOSE 8080 9901
STOPSIGNAL SIGTERM
# No HEALTHCHECK: Kubernetes does not read it. Its probes ask /livez and /readyz of the admin port.
ENTRYPOINT ["/usr/bin/weir"]
