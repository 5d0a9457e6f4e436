# Two images: `examples`, with what the compose file plays on the stage around
# idp, and idp itself (the default): one static binary, nothing else, no root.

FROM golang:1.26-bookworm AS build
ARG GOPROXY
ARG VERSION=development
ENV CGO_ENABLED=0
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.release=$VERSION" -o /out/ ./cmd/idp ./examples/site ./examples/demo
# The folder for idp.key and, without PostgreSQL, idp.db. A new volume takes its owner.
RUN mkdir -p /root-fs/etc/idp /root-fs/var/lib/idp /root-fs/tmp \
 && echo 'idp:x:10001:10001::/var/lib/idp:/idp' > /root-fs/etc/passwd \
 && echo 'idp:x:10001:' > /root-fs/etc/group \
 && chown 10001:10001 /root-fs/var/lib/idp && chmod 0700 /root-fs/var/lib/idp && chmod 1777 /root-fs/tmp

FROM debian:bookworm-slim AS examples
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates curl krb5-user openssl \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/site /out/demo /usr/local/bin/
COPY deploy/compose/setup /usr/local/bin/setup
USER 10002:10002

FROM scratch AS idp
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /root-fs /
COPY --from=build /out/idp /idp
USER 10001:10001
WORKDIR /var/lib/idp
ENTRYPOINT ["/idp"]
CMD ["serve"]
HEALTHCHECK --interval=5s --timeout=6s --start-period=30s --start-interval=1s CMD ["/idp", "healthcheck"]
