# syntax=docker/dockerfile:1
# One image for one program, which is all that is in it:
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg PROGRAM=nodebound-operator -t REGISTRY/nodebound-operator:v0.1.0 .
FROM rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev
WORKDIR /source
COPY . .
ARG PROGRAM=nodebound-operator
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --locked --profile dist --package "$PROGRAM-program" --bin "$PROGRAM" \
    && mv "target/dist/$PROGRAM" /program

FROM scratch
COPY --from=build /program /program
USER 65532:65532
ENTRYPOINT ["/program"]
