# Verifies the DKIM signature of messages with Mail::DKIM, offline.
#
# Arguments: a file with the record's name and value, one a line, then message files.
# Prints one word for each message: pass or fail.

use strict;
use warnings;
use Mail::DKIM::Verifier;
use Net::DNS::RR;

my $key = shift;
open my $in, '<', $key or die "$key: $!";
chomp(my ($name, $record) = <$in>);

no warnings 'redefine';
*Mail::DKIM::DNS::query_async = sub {
    my ($host, undef, %arguments) = @_;
    my @strings = $record =~ /(.{1,255})/g;
    my @answer = $host eq $name ? Net::DNS::RR->new(name => $host, type => 'TXT', txtdata => \@strings) : ();
    return sub { $arguments{Callbacks}{Success}->(@answer) };
};

for my $path (@ARGV) {
    open my $message, '<:raw', $path or die "$path: $!";
    local $/;
    my $verifier = Mail::DKIM::Verifier->new;
    $verifier->PRINT(<$message>);
    $verifier->CLOSE;
    print $verifier->result eq 'pass' ? "pass\n" : "fail\n";
}
