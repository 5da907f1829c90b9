<?php
// Runs verify_webhook of the guide over the cases on standard input (README.md).
require __DIR__ . '/snippet.php';

while (($line = fgets(STDIN)) !== false) {
    [$keys, $id, $timestamp, $signature, $body, $now] = array_map(
        fn (string $field): ?string => $field === '-' ? null : base64_decode($field, true),
        explode(' ', rtrim($line, "\n"))
    );
    $names = ['webhook-id' => $id, 'webhook-timestamp' => $timestamp, 'webhook-signature' => $signature];
    $headers = array_filter($names, fn (?string $value): bool => $value !== null);
    echo verify_webhook(explode(',', $keys), $headers, $body, (int) $now) ? "true\n" : "false\n";
}
