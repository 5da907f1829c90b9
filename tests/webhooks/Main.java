import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Runs Webhooks.verify of the guide over the cases on standard input (README.md). */
final class Main {
    private static final String[] NAMES = {"webhook-id", "webhook-timestamp", "webhook-signature"};

    private static byte[] read(String field) {
        return Base64.getDecoder().decode(field);
    }

    private static String text(String field) {
        return new String(read(field), StandardCharsets.ISO_8859_1);
    }

    public static void main(String[] arguments) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split(" ");
            Map<String, String> headers = new HashMap<>();
            for (int i = 0; i < NAMES.length; i++) {
                if (!fields[i + 1].equals("-")) {
                    headers.put(NAMES[i], text(fields[i + 1]));
                }
            }
            List<String> keys = List.of(text(fields[0]).split(","));
            System.out.println(Webhooks.verify(keys, headers, read(fields[4]), Long.parseLong(text(fields[5]))));
        }
    }
}
