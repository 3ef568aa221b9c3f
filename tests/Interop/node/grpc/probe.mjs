// The probe and health services as grpc-js sees them, and what client and server share.
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const options = { longs: Number, enums: Number, defaults: true, keepCase: false };

function load(path) {
  const file = fileURLToPath(new URL(path, import.meta.url));
  return grpc.loadPackageDefinition(loader.loadSync(file, options));
}

export const Probe = load('../../Grpc/probe.proto').llmcluster.interop.Probe;
export const Health = load('../../../../libs/compat/Grpc/Grpc.AspNetCore/HealthChecks/health.proto').grpc.health.v1.Health;

/** Bytes that say their own index, modulo 251. */
export function pattern(size) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = i % 251;
  return bytes;
}
