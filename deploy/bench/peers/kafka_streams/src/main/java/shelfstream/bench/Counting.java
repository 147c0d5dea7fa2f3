package shelfstream.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** Counts and sums per key with Kafka Streams: one thread, a store in memory, its changelog. */
public final class Counting {
    private static final String STORE = "totals";
    private static final String PREFIX = "BENCH_PEER_";
    private static final long TOLD_EVERY_NS = 100_000_000L;

    private static final CountDownLatch DONE = new CountDownLatch(1);
    private static long events;
    private static long dueNs;

    private Counting() {
    }

    /** An event of the benchmark, decoded from its msgpack array. */
    record Event(String sku, String source, long seq, long observedAtMs, int quantityUnits) {
        static Event decode(byte[] value) {
            ByteBuffer in = ByteBuffer.wrap(value);
            if (in.get() != (byte) 0x95) {
                throw new IllegalArgumentException("an event is an array of five");
            }
            return new Event(text(in), text(in), number(in), number(in), (int) number(in));
        }

        private static String text(ByteBuffer in) {
            int length = in.get() & 0x1f;
            String found = new String(in.array(), in.position(), length, StandardCharsets.UTF_8);
            in.position(in.position() + length);
            return found;
        }

        private static long number(ByteBuffer in) {
            int tag = in.get() & 0xff;
            return switch (tag) {
                case 0xcc -> in.get() & 0xffL;
                case 0xcd -> in.getShort() & 0xffffL;
                case 0xce -> in.getInt() & 0xffffffffL;
                case 0xcf -> in.getLong();
                default -> tag;
            };
        }
    }

    /** The counting fold, one record at a time. */
    static final class Count implements Processor<Bytes, byte[], Void, Void> {
        private final long all;
        private KeyValueStore<Bytes, byte[]> totals;

        Count(long all) {
            this.all = all;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            totals = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<Bytes, byte[]> record) {
            Event event = Event.decode(record.value());
            if (event.quantityUnits() != 0) {
                byte[] old = totals.get(record.key());
                ByteBuffer fresh = ByteBuffer.allocate(16);
                ByteBuffer before = old == null ? ByteBuffer.allocate(16) : ByteBuffer.wrap(old);
                fresh.putLong(before.getLong() + 1).putLong(before.getLong() + event.quantityUnits());
                totals.put(record.key(), fresh.array());
            }
            done(all);
        }
    }

    private static void done(long all) {
        events++;
        if (events >= all) {
            DONE.countDown();
        } else if (events % 256 == 0 && System.nanoTime() >= dueNs) {
            dueNs = System.nanoTime() + TOLD_EVERY_NS;
            say();
        }
    }

    private static void say() {
        System.out.println("progress " + events);
        System.out.flush();
    }

    public static void main(String[] arguments) throws InterruptedException {
        Map<String, String> environment = System.getenv();
        long all = Long.parseLong(environment.get(PREFIX + "EVENTS"));
        Topology topology = new Topology();
        topology.addSource("in", Serdes.Bytes().deserializer(), Serdes.ByteArray().deserializer(),
            environment.get(PREFIX + "TOPIC"));
        topology.addProcessor("count", () -> new Count(all), "in");
        topology.addStateStore(Stores.keyValueStoreBuilder(
            Stores.inMemoryKeyValueStore(STORE), Serdes.Bytes(), Serdes.ByteArray()), "count");
        KafkaStreams streams = new KafkaStreams(topology, settings(environment));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        DONE.await();
        streams.close(); // commits and flushes
        say();
    }

    private static Properties settings(Map<String, String> environment) {
        Properties found = new Properties();
        boolean exactlyOnce = "1".equals(environment.get(PREFIX + "EXACTLY_ONCE"));
        found.put(StreamsConfig.APPLICATION_ID_CONFIG, environment.get(PREFIX + "NAME"));
        found.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, environment.get(PREFIX + "BOOTSTRAP"));
        found.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        found.put(StreamsConfig.STATE_DIR_CONFIG, environment.get(PREFIX + "FOLDER"));
        found.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        found.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
            exactlyOnce ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
        found.put("auto.offset.reset", "earliest");
        found.put("security.protocol", environment.get(PREFIX + "SECURITY_PROTOCOL"));
        found.put("sasl.mechanism", environment.get(PREFIX + "SASL_MECHANISM"));
        found.put("sasl.jaas.config",
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\""
            + environment.get(PREFIX + "USERNAME") + "\" password=\""
            + environment.get(PREFIX + "PASSWORD") + "\";");
        return found;
    }
}
