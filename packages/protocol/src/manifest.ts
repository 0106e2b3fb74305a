import type { Hex } from 'viem'
import { keccak256 } from '#keccak256'
import { canonicalJsonBytes, type Json } from './canonicalJson.ts'
import { AssayError } from './errors.ts'
import type { ModeName } from './receipt.ts'
import { MODE_NAMES } from './receipt.ts'
import { readArray, readBytes, readObject, readSmallUint, readString, readUint } from './schema.ts'

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
  }
}

/** @throws AssayError `malformed` */
export function manifestFromJson(value: Json | undefined, where = 'model'): ModelManifest {
  const members = readObject(value, where, [
    'format',
    'name',
    'engine',
    'files',
    'contextLength',
    'license',
    'modes',
  ])
  if (members.format !== 'assay-model/1') {
    throw new AssayError('This is not a model manifest of version 1.', {
      code: 'malformed',
      facts: { format: members.format },
    })
  }
  return {
    name: readString(members.name, `${where}.name`, 256),
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
  }
}

/** keccak256 of the manifest's canonical JSON. */
export function modelIdOf(manifest: ModelManifest): Hex {
  return keccak256(canonicalJsonBytes(manifestToJson(manifest)))
}
