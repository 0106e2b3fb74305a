#!/bin/sh
# Builds the node's image reproducibly into an OCI archive and prints its SHA-256.
#   WEIGHTS=folder packages/node/image/build.sh out.tar
# BASE_IMAGE=name@sha256:… takes another base than the one that the Dockerfile pins.
set -eu
out=${1:?usage: WEIGHTS=folder build.sh out.tar}
root=$(cd "$(dirname "$0")/../../.." && pwd)
BASE_IMAGE=${BASE_IMAGE:-$(sed -n 's/^ARG BASE_IMAGE=//p' "$root/packages/node/image/Dockerfile")}
case "$BASE_IMAGE" in
  *@sha256:????????????????????????????????????????????????????????????????) ;;
  *) echo "BASE_IMAGE must name an image with its digest: name@sha256:<64 hex digits>" >&2; exit 2 ;;
esac
weights=${WEIGHTS:?WEIGHTS is not set: the folder with the weights of the model, see docs/run-in-tee.md}
if [ -n "$(git -C "$root" status --porcelain)" ]; then
  echo "The work tree differs from its commit; an image of it could not be built again." >&2
  exit 2
fi
# One time for every file and layer: that of the commit.
epoch=$(git -C "$root" log -1 --format=%ct)
git -C "$root" archive --format=tar HEAD | SOURCE_DATE_EPOCH=$epoch docker buildx build \
  --file packages/node/image/Dockerfile --platform linux/amd64 \
  --build-arg BASE_IMAGE="$BASE_IMAGE" --build-arg SOURCE_DATE_EPOCH="$epoch" \
  --build-context weights="$weights" \
  --provenance=false --sbom=false --no-cache \
  --output "type=oci,dest=$out,rewrite-timestamp=true" -
sha256sum "$out"
