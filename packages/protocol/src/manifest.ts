import { type Hex, sha256 } from 'viem'
import { keccak256 } from '#keccak256'
import { fromBase64, toBase64 } from './base64/base64.ts'
import { canonicalJsonBytes, type Json, parseCanonicalJson } from './canonicalJson.ts'
import { AssayError } from './errors.ts'
import { MAX_MODEL_NAME } from './intent.ts'
import type { ModeName } from './receipt.ts'
import { MODE_NAMES } from './receipt.ts'
import { readArray, readBytes, readObject, readSmallUint, readString, readUint } from './schema.ts'

const MAX_MANIFEST_BYTES = 2 ** 20

/** What a model is: its hash is the model's identity (docs/spec.md §8). */
export type ModelManifest = {
  name: string
  engine: string
  files: readonly { name: string; sha256: Hex; bytes: bigint }[]
  /** Tokens. */
  contextLength: number
  /** SPDX identifier. */
  license: string
  modes: readonly ModeName[]
  /** keccak256 of a circuit's card, with which everybody verifies its proofs (docs/zkml.md); absent for other engines. */
  card?: Hex | undefined
}

export function manifestToJson(manifest: ModelManifest): { [name: string]: Json } {
  return {
    format: 'assay-model/1',
    name: manifest.name,
    engine: manifest.engine,
    files: manifest.files.map((file) => ({
      name: file.name,
      sha256: file.sha256,
      bytes: file.bytes.toString(),
    })),
    contextLength: manifest.contextLength,
    license: manifest.license,
    modes: [...manifest.modes],
    ...(manifest.card === undefined ? {} : { card: manifest.card }),
  }
}

/** @throws AssayError `malformed` */
export function manifestFromJson(value: Json | undefined, where = 'model'): ModelManifest {
  const names = ['format', 'name', 'engine', 'files', 'contextLength', 'license', 'modes']
  const members = readObject(value, where, names, ['card'])
  if (members.format !== 'assay-model/1') {
    throw new AssayError('This is not a model manifest of version 1.', {
      code: 'malformed',
      facts: { format: members.format },
    })
  }
  return {
    name: readString(members.name, `${where}.name`, MAX_MODEL_NAME),
    engine: readString(members.engine, `${where}.engine`, 64),
    files: readArray(members.files, `${where}.files`, 1024).map((file, at) => {
      const place = `${where}.files[${at}]`
      const entry = readObject(file, place, ['name', 'sha256', 'bytes'])
      return {
        name: readString(entry.name, `${place}.name`, 256),
        sha256: readBytes(entry.sha256, `${place}.sha256`, 32),
        bytes: readUint(entry.bytes, `${place}.bytes`, 64),
      }
    }),
    contextLength: readSmallUint(members.contextLength, `${where}.contextLength`, 2 ** 31),
    license: readString(members.license, `${where}.license`, 64),
    modes: readArray(members.modes, `${where}.modes`, 4).map((mode, at) => {
      const index = MODE_NAMES.indexOf(readString(mode, `${where}.modes[${at}]`, 16) as ModeName)
      return MODE_NAMES[readSmallUint(index, `${where}.modes[${at}]`, 3)] as ModeName
    }),
    ...(members.card === undefined ? {} : { card: readBytes(members.card, `${where}.card`, 32) }),
  }
}

/** keccak256 of the manifest's canonical JSON. */
export function modelIdOf(manifest: ModelManifest): Hex {
  return keccak256(canonicalJsonBytes(manifestToJson(manifest)))
}

const DATA_URI = /^data:application\/json;base64,([A-Za-z0-9+/=]+)$/

/** The URI that carries the manifest itself, so that whoever reads the chain needs no other server. */
export function manifestUri(manifest: ModelManifest): string {
  return `data:application/json;base64,${toBase64(canonicalJsonBytes(manifestToJson(manifest)))}`
}

/**
 * The manifest where it stands in the URI itself. One that lies elsewhere is not fetched: a publisher could make every
 * client dial an address of its choosing.
 */
export function manifestOfUri(uri: string, modelId: Hex): ModelManifest | undefined {
  const inline = DATA_URI.exec(uri)?.[1]
  if (inline === undefined) return undefined
  try {
    const manifest = manifestFromJson(parseCanonicalJson(fromBase64(inline), MAX_MANIFEST_BYTES))
    return modelIdOf(manifest) === modelId ? manifest : undefined
  } catch {
    return undefined
  }
}

/** Hash under which a manifest names the card of its circuit. */
export function cardHash(card: Uint8Array): Hex {
  return keccak256(card)
}

/** A file of a model, as its manifest pins it. */
export function manifestFile(name: string, bytes: Uint8Array): ModelManifest['files'][number] {
  return { name, sha256: sha256(bytes), bytes: BigInt(bytes.length) }
}
